"""What the stored blobs tell of the shapes that a net leaves open, carried on to all that follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from caffeconv.model import Layer, MaybeShape, Net, PartialShape, Source
from caffeconv.net.shapes import infer_top_shapes
from caffeconv.net.shapes.table import TABLE

__all__ = ["settle_from_blobs"]

_Blob: TypeAlias = Source | str
"""A blob that a layer makes, or the name of one that nobody makes."""


def settle_from_blobs(net: Net) -> Net:
    """The net with the axes and channels that kernels tell of their bottoms, where these are not known.

    An input of which nothing else is known than that an InnerProduct reads it is a vector of as many features.
    """
    told: dict[_Blob, PartialShape] = {}
    layers = net.layers
    for of_inputs in (False, True):
        while more := dict(_news(layers, told, of_inputs)):
            told.update(more)
            layers = _with_shapes(net, told)
    return dataclasses.replace(net, layers=layers)


def _news(
    layers: tuple[Layer, ...], told: Mapping[_Blob, PartialShape], of_inputs: bool
) -> Iterator[tuple[_Blob, PartialShape]]:
    """Blobs of which the layers that read them know more than is known, each with all of it."""
    for layer in layers:
        row = TABLE.get(layer.type)
        told_by = None if row is None or not layer.blobs else row.input if of_inputs else row.bottom
        shape = told_by(layer.param, layer.blobs[0].shape) if told_by is not None else None
        if shape is None:
            continue
        for name, source, known in zip(layer.bottoms, layer.sources, layer.bottom_shapes, strict=True):
            blob = name if source is None else source
            if of_inputs and (known is not None or source is None or layers[source.layer].bottoms):
                continue  # what nobody makes lacks a layer, and that may have flattened maps
            merged = _merged(known, shape)
            if merged is not None and merged != known and told.get(blob) != merged:
                yield blob, merged


def _with_shapes(net: Net, told: Mapping[_Blob, PartialShape]) -> tuple[Layer, ...]:
    """The layers with what is told of their bottoms and tops, and what follows from it."""
    layers: list[Layer] = []
    for index, layer in enumerate(net.layers):
        bottoms = tuple(
            _merged(known, told.get(name)) if source is None else layers[source.layer].top_shapes[source.top]
            for name, known, source in zip(layer.bottoms, layer.bottom_shapes, layer.sources, strict=True)
        )
        inferred = infer_top_shapes(layer.param, bottoms).tops if layer.bottoms else layer.top_shapes
        tops = tuple(
            _merged(_merged(known, new), told.get(Source(index, top)))
            for top, (known, new) in enumerate(zip(layer.top_shapes, inferred, strict=True))
        )
        layers.append(dataclasses.replace(layer, bottom_shapes=bottoms, top_shapes=tops))
    return tuple(layers)


def _merged(known: MaybeShape, new: MaybeShape) -> MaybeShape:
    """What is known, completed by what is new; where they contradict each other, what is known stays."""
    if known is None or new is None:
        return new if known is None else known
    if len(known) != len(new):
        return known
    return tuple(mine if mine is not None else theirs for mine, theirs in zip(known, new, strict=True))
