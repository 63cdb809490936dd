"""What a row of the rules table is made of, and what passes through it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from caffeconv.keras.building import Site, maps
from caffeconv.keras.graph import UNKNOWN, Held, Value
from caffeconv.keras.rules.segments import Along, Segments
from caffeconv.model import KerasCall, Layer, LayerWeights, Weight

__all__ = [
    "Arrive", "Build", "Context", "Convert", "HoldTop", "Parts", "Rule", "as_it_is", "caffes_axes", "caffes_held",
    "channels_last", "kept_held", "maps_held",
]  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)
class Context:
    """What a rule is told besides the layer itself.

    `segments` are the shapes, in Caffe's axis order, of the blobs that were flattened and put one behind the other
    to make the input of the layer, along which its arrays lie; `None` where that is not known, and empty where
    Caffe's order is Keras' order. `static` are those of a recurrent layer's static input. `held` is how the first
    bottom is held. `scale` is the Scale layer to fuse into a BatchNorm.
    """

    segments: Segments = ()
    held: Held = UNKNOWN
    scale: Layer | None = None
    depthwise: Literal["depthwise", "conv2d"] = "depthwise"
    static: Segments = ()

    @property
    def keeps_axes(self) -> bool:
        """Whether the first bottom has its axes in Keras where Caffe has them."""
        rank = self.held.rank
        return (rank is not None and rank < 3) or self.held.layout in ("axes", "flat")


@dataclasses.dataclass(frozen=True, eq=False)
class Parts:
    """What a rule makes of a layer: a Keras layer and its arrays, in load order.

    `notes` say what was done that the Keras layer does not show, `warnings` what may be wrong. `extra` are further
    Keras layers with weights that the one Caffe layer takes. `problem` says why the Keras layer, which has a place for
    the arrays, does not compute what Caffe does.
    """

    keras: KerasCall | None
    weights: tuple[Weight, ...]
    before: tuple[KerasCall, ...] = ()
    after: tuple[KerasCall, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    extra: tuple[LayerWeights, ...] = ()
    problem: str | None = None


def maps_held(site: Site, number: int) -> Held:
    """Maps, whatever comes in."""
    return maps(site.top(number))


def caffes_held(site: Site, number: int) -> Held:
    """Caffe's axes, whatever comes in."""
    return Held("axes", site.top(number))


def kept_held(site: Site, number: int) -> Held:
    """As the first bottom is held."""
    return dataclasses.replace(site.inputs[0].held, shape=site.top(number))


def as_it_is(site: Site) -> Value:
    """The first bottom."""
    return site.inputs[0]


def channels_last(site: Site) -> Value:
    """The first bottom with its channels last."""
    return site.brought(site.inputs[0], "last")


def caffes_axes(site: Site) -> Value:
    """The first bottom with Caffe's axes in Caffe's order."""
    return site.brought(site.inputs[0], "axes")


Convert: TypeAlias = Callable[[Layer, Context], Parts]
"""Raises `UnsupportedError` where the layer's arrays have no Keras form; they are then written as stored."""


Build: TypeAlias = Callable[[Site], Sequence[Value]]
"""Makes the nodes of a layer and says of each top where it is and how it is held. Raises as `Convert`."""
Arrive: TypeAlias = Callable[[Site], Value]
HoldTop: TypeAlias = Callable[[Site, int], Held]
"""How the top of that number of a layer that learns is held."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """One row: what a Caffe type becomes in Keras. Without `weights` it is a type that has none.

    `blobs`, `keras`, `weights`: Caffe's blobs, the Keras layers that they become, and the names of the arrays in load
    order. `convert` makes the one of the other, for a first bottom that `arrive` has brought into the layout that it
    needs, and `held` says how the tops are held. `build` makes the nodes of the graph where this is not enough; without
    both Keras has no such layer.
    `along`: what its arrays lie along, where that may be flattened maps: the features of a vector, all inputs of a
    product, or those of one step of a sequence. `may_lack`: a layer need not have the weights of its type, and `build`
    sees to it. `reads_blobs`: what its arrays say is in the nodes that `build` makes, and none of them is written.
    """

    blobs: str = ""
    keras: str = ""
    weights: str = ""
    convert: Convert | None = None
    arrive: Arrive = as_it_is
    held: HoldTop = maps_held
    build: Build | None = None
    along: Along = ""
    may_lack: bool = False
    reads_blobs: bool = False
