"""What the stored blobs tell of the shapes that a net leaves open, carried on to all that follows from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from caffeconv.model import Layer, MaybeShape, Net, PartialShape, Source
from caffeconv.net.shapes import infer_top_shapes
from caffeconv.net.shapes.table import TABLE

__all__ = ["settle_from_blobs"]


def settle_from_blobs(net: Net) -> Net:
    """The net with the axes and channels that kernels tell of their bottoms, where these are not known.

    A bottom that nobody makes is settled in the layer that reads it alone.
    """
    told: dict[Source, PartialShape] = {}
    while True:
        layers = _with_shapes(net, told)
        more = {
            source: shape
            for layer in layers
            for source, known, shape in _told_by(layer)
            if known != (merged := _merged(known, shape)) and told.get(source) != merged
        }
        if not more:
            return dataclasses.replace(net, layers=layers)
        told.update(more)


def _told_by(layer: Layer) -> list[tuple[Source, MaybeShape, PartialShape]]:
    """For each bottom: who made it, what is known of it, and what the layer's kernel tells of it."""
    row = TABLE.get(layer.type)
    if row is None or row.bottom is None or not layer.blobs:
        return []
    shape = row.bottom(layer.param, layer.blobs[0].shape)
    return [
        (source, known, shape)
        for source, known in zip(layer.sources, layer.bottom_shapes, strict=True)
        if source is not None and shape is not None
    ]


def _with_shapes(net: Net, told: Mapping[Source, PartialShape]) -> tuple[Layer, ...]:
    """The layers with what is told of their tops, and what follows from it."""
    if not told:
        return net.layers
    layers: list[Layer] = []
    for index, layer in enumerate(net.layers):
        bottoms = tuple(
            known if source is None else layers[source.layer].top_shapes[source.top]
            for known, source in zip(layer.bottom_shapes, layer.sources, strict=True)
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
