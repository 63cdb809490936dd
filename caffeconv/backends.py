"""The Keras backends a file can be written for."""

from __future__ import annotations

import dataclasses

from caffeconv.errors import UnsupportedError
from caffeconv.model import LayerWeights, Result, Weight

__all__ = ["BACKENDS", "for_backend"]

BACKENDS = {"tf": "tensorflow", "theano": "theano", "cntk": "cntk"}
"""What the command line calls a backend -> what the file's `backend` attribute calls it."""

_FLIPPED = frozenset({"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose"})


def for_backend(result: Result, backend: str) -> tuple[Result, str]:
    """`result` as the backend stores it, and the backend's full name.

    Theano convolves where the others correlate: its kernels are flipped along every spatial axis. Those are the
    layers that Keras 2 flips back when such a file is loaded under another backend (`convert_kernel`).

    Raises:
        UnsupportedError: no such backend.
    """
    name = BACKENDS.get(backend, backend)
    if name not in BACKENDS.values():
        raise UnsupportedError(f'backend "{backend}": expected one of {", ".join(BACKENDS)}')
    if name != "theano":
        return result, name
    return dataclasses.replace(result, layers=tuple(_flip(layer) for layer in result.layers)), name


def _flip(layer: LayerWeights) -> LayerWeights:
    if layer.keras is None or layer.keras.class_name not in _FLIPPED:
        return layer
    return dataclasses.replace(layer, weights=tuple(_flip_kernel(weight) for weight in layer.weights))


def _flip_kernel(weight: Weight) -> Weight:
    """(k…, in, out) -> the same, reversed along every k."""
    if weight.name != "kernel":
        return weight
    flips = tuple(slice(None, None, -1) for _ in range(weight.view.ndim - 2))
    return dataclasses.replace(weight, view=weight.view[flips])
