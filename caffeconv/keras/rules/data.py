"""Where blobs come from and where they end."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.keras.building import Site
from caffeconv.keras.graph import Value
from caffeconv.keras.rules.record import Rule
from caffeconv.keras.rules.wrapping import stored

__all__ = ["ROWS"]


def _inputs(site: Site) -> Sequence[Value]:
    """An input of the model for each top."""
    return tuple(site.input(number) for number in range(len(site.layer.tops)))


def _sink(site: Site) -> Sequence[Value]:
    """Nothing comes out of it."""
    return ()


_SOURCE = Rule(build=_inputs)

ROWS = {
    "Data":           _SOURCE,
    "DummyData":      _SOURCE,
    "HDF5Data":       _SOURCE,
    "HDF5Output":     Rule(build=_sink),
    "ImageData":      _SOURCE,
    "Input":          _SOURCE,
    "MemoryData":     _SOURCE,
    "Parameter":      Rule("value", "none, as stored", "weights_0", stored("weights_0")),
    "Silence":        Rule(build=_sink, channels="unread"),
    "WindowData":     _SOURCE,
    "AnnotatedData":  _SOURCE,
    "DenseImageData": _SOURCE,
    "ImageSegData":   _SOURCE,
    "VideoData":      _SOURCE,
}  # fmt: skip
