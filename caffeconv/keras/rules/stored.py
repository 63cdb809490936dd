"""Types whose arrays are known but which no layer of Keras computes: named, and otherwise as they are stored."""

from __future__ import annotations

from caffeconv.errors import UnsupportedError
from caffeconv.keras.rules.blobs import take
from caffeconv.keras.rules.record import Context, Convert, Parts
from caffeconv.model import Layer, Weight

__all__ = ["stored"]


def stored(*names: str) -> Convert:
    """A rule that writes the arrays as they are, under `names`."""

    def convert(layer: Layer, _: Context) -> Parts:
        if not 1 <= len(layer.blobs) <= len(names):
            raise UnsupportedError(f"{len(layer.blobs)} blobs, expected {', '.join(names)}")
        arrays = take(layer, len(layer.blobs))
        weights = tuple(Weight(name, array, array.shape) for name, array in zip(names, arrays, strict=False))
        warning = f"Keras has no layer for {layer.type}: its arrays are as stored, in Caffe's order of axes"
        return Parts(None, weights, warnings=(warning,))

    return convert
