"""The Keras backends a file can be written for."""

from __future__ import annotations

import dataclasses

from caffeconv.errors import UnsupportedError
from caffeconv.model import LayerWeights, Note, Result, Weight

__all__ = ["BACKENDS", "for_backend"]

BACKENDS = {"tf": "tensorflow", "theano": "theano", "cntk": "cntk"}
"""What the command line calls a backend -> what the file's `backend` attribute calls it."""

_NEVER_FLIPPED_BACK = "Conv3DTranspose"
_CONVOLVING = frozenset({"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", _NEVER_FLIPPED_BACK})
_NOTE = f"its kernel is right under Theano alone: elsewhere Keras does not flip that of a {_NEVER_FLIPPED_BACK} back"


def for_backend(result: Result, backend: str) -> tuple[Result, str]:
    """`result` as the backend stores it, and the backend's full name.

    Theano convolves where the others correlate: its kernels are flipped along every spatial axis. Keras 2 flips them
    when a file is loaded under a backend of the other kind, but never those of a Conv3DTranspose, which get a note.
    Depthwise kernels stay as they are, since Keras flips them inside the layer.

    Source: `preprocess_weights_for_loading` in keras/engine/saving.py of Keras 2.3.1; `conv3d_transpose` and
    `_preprocess_conv2d_depthwise_kernel` in its keras/backend/theano_backend.py.

    Raises:
        UnsupportedError: no such backend.
    """
    name = BACKENDS.get(backend, backend)
    if name not in BACKENDS.values():
        raise UnsupportedError(f'backend "{backend}": expected one of {", ".join(BACKENDS)}')
    if name != "theano":
        return result, name
    layers = tuple(_flip(layer) if _class_name(layer) in _CONVOLVING else layer for layer in result.layers)
    one_sided = (layer for layer in layers if _class_name(layer) == _NEVER_FLIPPED_BACK)
    notes = tuple(Note("info", layer.origins[0], _NOTE) for layer in one_sided)
    return dataclasses.replace(result, layers=layers, notes=(*result.notes, *notes)), name


def _class_name(layer: LayerWeights) -> str | None:
    return layer.keras.class_name if layer.keras is not None else None


def _flip(layer: LayerWeights) -> LayerWeights:
    return dataclasses.replace(layer, weights=tuple(_flip_kernel(weight) for weight in layer.weights))


def _flip_kernel(weight: Weight) -> Weight:
    """(k…, in, out) -> the same, reversed along every k."""
    if weight.name != "kernel":
        return weight
    flips = (slice(None, None, -1),) * (len(weight.shape) - 2)
    return dataclasses.replace(weight, view=weight.view[flips])
