"""Where blobs come from and where they end."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.keras.building import Site
from caffeconv.keras.graph import Held, Value
from caffeconv.keras.rules.learning import as_stored
from caffeconv.keras.rules.record import Context, Rule
from caffeconv.keras.rules.wrapping import stored
from caffeconv.model import KerasCall

__all__ = ["ROWS"]


def _inputs(site: Site) -> Sequence[Value]:
    """An input of the model for each top."""
    return tuple(site.input(number) for number in range(len(site.layer.tops)))


def _sink(site: Site) -> Sequence[Value]:
    """Nothing comes out of it."""
    return ()


def _parameter(site: Site) -> Sequence[Value]:
    """A learned blob, of a class of ours that is given any input of the model, since Keras has no layer without one."""
    if not site.growing.inputs:
        return as_stored(site, ROWS["Parameter"], "no input of the net stands before it: move it behind one")
    weights = stored("weights_0")(site.layer, Context()).weights
    edge = site.add(KerasCall("Parameter"), (site.growing.inputs[0].edge,), weights=weights)
    site.note("needs a layer of your own, or that of --format py: its array is what it gives, whatever its input")
    return (Value(edge, Held("axes", site.top())),)


_SOURCE = Rule(build=_inputs)

ROWS = {
    "Data":           _SOURCE,
    "DummyData":      _SOURCE,
    "HDF5Data":       _SOURCE,
    "HDF5Output":     Rule(build=_sink),
    "ImageData":      _SOURCE,
    "Input":          _SOURCE,
    "MemoryData":     _SOURCE,
    "Parameter":      Rule("value", "a layer of your own", "weights_0", stored("weights_0"), build=_parameter),
    "Silence":        Rule(build=_sink),
    "WindowData":     _SOURCE,
    "AnnotatedData":  _SOURCE,
    "DenseImageData": _SOURCE,
    "ImageSegData":   _SOURCE,
    "VideoData":      _SOURCE,
}  # fmt: skip
