"""Takes the weights out of Caffe models, with no Caffe on the machine.

    from caffeconv import convert_caffemodel_to_keras, convert_caffemodel_to_dict

    convert_caffemodel_to_keras("vgg16", "deploy.prototxt", "vgg16.caffemodel")     # writes vgg16.h5 for Keras
    layers = convert_caffemodel_to_dict("deploy.prototxt", "vgg16.caffemodel")      # NumPy arrays, Caffe's layout

`load_net` and `convert` are the two halves of the first, for those who want to see or change what is in between.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from caffeconv.compat import convert_caffemodel_to_dict, convert_caffemodel_to_keras
    from caffeconv.errors import CaffeconvError, MismatchError, ParseError, UnsupportedError, WriteError
    from caffeconv.keras.conversion import convert
    from caffeconv.model import Blob, KerasCall, Layer, LayerWeights, Net, Note, Result, Weight
    from caffeconv.net.loading import load_net

_HOMES = {
    "caffeconv.compat": ("convert_caffemodel_to_dict", "convert_caffemodel_to_keras"),
    "caffeconv.keras.conversion": ("convert",),
    "caffeconv.errors": ("CaffeconvError", "MismatchError", "ParseError", "UnsupportedError", "WriteError"),
    "caffeconv.net.loading": ("load_net",),
    "caffeconv.model": ("Blob", "KerasCall", "Layer", "LayerWeights", "Net", "Note", "Result", "Weight"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Blob",
    "CaffeconvError",
    "KerasCall",
    "Layer",
    "LayerWeights",
    "MismatchError",
    "Net",
    "Note",
    "ParseError",
    "Result",
    "UnsupportedError",
    "Weight",
    "WriteError",
    "convert",
    "convert_caffemodel_to_dict",
    "convert_caffemodel_to_keras",
    "load_net",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: the command line must start without NumPy."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
