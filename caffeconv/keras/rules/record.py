"""What a row of the rules table is made of, and what passes through it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Literal, TypeAlias

from caffeconv.keras.rules.flattening import Follow, Order, unknown
from caffeconv.keras.rules.segments import Along, Segments
from caffeconv.model import KerasCall, Layer, LayerWeights, Weight

__all__ = ["Context", "Convert", "Parts", "Rule"]


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """What a rule is told besides the layer itself.

    `segments` are the shapes, in Caffe's axis order, of the blobs that were flattened and put one behind the other
    to make the input of the layer, along which its arrays lie; `None` where that is not known, and empty where
    Caffe's order is Keras' order. `static` are those of a recurrent layer's static input. `order` is that of the
    first bottom. `scale` is the Scale layer to fuse into a BatchNorm.
    """

    segments: Segments = ()
    order: Order | None = None
    scale: Layer | None = None
    depthwise: Literal["depthwise", "conv2d"] = "depthwise"
    flatten_order: Literal["hwc", "chw"] = "hwc"
    static: Segments = ()

    def keeps_axes(self, rank: int) -> bool:
        """Whether a bottom with so many axes has them in Keras where Caffe has them."""
        return rank < 3 or (self.order is not None and self.order.kind != "spatial")


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """What a rule makes of a layer: a Keras layer and its arrays, in load order.

    `notes` say what was done that the Keras layer does not show, `warnings` what may be wrong. `extra` are further
    Keras layers with weights that the one Caffe layer takes.
    """

    keras: KerasCall | None
    weights: tuple[Weight, ...]
    before: tuple[KerasCall, ...] = ()
    after: tuple[KerasCall, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    extra: tuple[LayerWeights, ...] = ()


Convert: TypeAlias = Callable[[Layer, Context], Parts]
"""Raises `UnsupportedError` where the layer's arrays have no Keras form; they are then written as stored."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One row: what a Caffe type becomes in Keras. Without `weights` it is a type that has none.

    `blobs`, `keras`, `weights`: Caffe's blobs, the Keras layers that they become, and the names of the arrays in load
    order; `convert` makes the one of the other. `order` says in what order its tops' values are (`flattening`).
    `along`: what its arrays lie along, where that may be flattened maps: the features of a vector, all inputs of a
    product, or those of one step of a sequence. `channels`: given channels in another order, it `kept` that order, has
    `unread` them, or `mixed` them.
    """

    blobs: str = ""
    keras: str = ""
    weights: str = ""
    convert: Convert | None = None
    order: Follow = unknown
    along: Along = ""
    channels: Literal["kept", "unread", "mixed"] = "mixed"
