"""Where blobs come from and where they end."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.keras.rules.flattening import SAME, SPATIAL, MaybeOrder, maps
from caffeconv.keras.rules.record import Rule
from caffeconv.keras.rules.wrapping import stored
from caffeconv.model import Layer

__all__ = ["ROWS"]


def _input(layer: Layer, _: Sequence[MaybeOrder], top: int) -> MaybeOrder:
    shape = layer.top_shapes[top]
    return SAME if shape is not None and len(shape) <= 2 else SPATIAL


ROWS = {
    "Data":           Rule(order=maps),
    "DummyData":      Rule(order=_input),
    "HDF5Data":       Rule(order=maps),
    "HDF5Output":     Rule(),
    "ImageData":      Rule(order=maps),
    "Input":          Rule(order=_input),
    "MemoryData":     Rule(order=maps),
    "Parameter":      Rule("value", "none, as stored", "weights_0", stored("weights_0"), order=_input),
    "Silence":        Rule(channels="unread"),
    "WindowData":     Rule(order=maps),
    "AnnotatedData":  Rule(order=maps),
    "DenseImageData": Rule(),
    "ImageSegData":   Rule(),
    "VideoData":      Rule(order=maps),
}  # fmt: skip
