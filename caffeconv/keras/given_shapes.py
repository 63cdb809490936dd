"""What is given for flattened maps by hand (`--flatten-shape`), against what the net itself tells of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from caffeconv.keras.graph import Held, Model
from caffeconv.model import Net, Note, PartialShape, Shape

__all__ = ["flattening_notes"]


def flattening_notes(net: Net, model: Model, given: Mapping[str, Shape]) -> Iterator[Note]:
    """A warning for each shape (C, axes…) that the graph contradicts; what is given counts all the same."""
    first = {layer.name: layer for layer in reversed(net.layers)}
    for name, shape in given.items():
        source = first[name].sources[0] if first[name].sources else None
        if source is None or source not in model.values:
            continue
        known = _known(net, source.layer, model.values[source].held)
        if known is not None and not _agree(known, shape):
            there = " and ".join(_readable(segment) for segment in known)
            text = f"see whether --flatten-shape is right: {_readable(shape)} was given and taken, but by the net"
            yield Note("warning", name, f"{text} {there or 'no flattened maps'} lies before it")


def _known(net: Net, maker: int, held: Held) -> tuple[PartialShape, ...] | None:
    """The maps that lie before a layer, flattened one behind the other; none at all where it reads plain vectors."""
    if held.layout == "last" and held.shape is not None:
        return (held.shape[1:],)
    if held.layout == "flat":
        return held.segments
    return () if held.layout == "axes" and held.rank == 2 and _is_learned(net, maker) else None


def _is_learned(net: Net, index: int) -> bool:
    """Whether a vector is made by a layer with weights, and not given from outside, where it may be anything."""
    while not net.layers[index].blobs:
        source = next((source for source in net.layers[index].sources if source is not None), None)
        if source is None:
            return False
        index = source.layer
    return True


def _agree(known: tuple[PartialShape, ...], given: Shape) -> bool:
    """Whether both say the same of the order: as many channels, and as many values for each of them."""
    if len(known) != 1:
        return False
    channels, *axes = known[0]
    sizes = [size for size in axes if size is not None]
    return channels in (None, given[0]) and (len(sizes) < len(axes) or math.prod(sizes) == math.prod(given[1:]))


def _readable(shape: PartialShape) -> str:
    return "×".join("?" if size is None else str(size) for size in shape)
