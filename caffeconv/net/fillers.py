"""What Caffe puts into a layer before anything is learned, where that is no matter of chance.

Follows `ConstantFiller` and `BilinearFiller` (`include/caffe/filler.hpp`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.model import Blob, Layer, Note, PartialShape, Shape, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caffe_proto.caffe_pb2 import FillerParameter

__all__ = ["filled_by_fillers"]

_FILLERS = {
    # type: its parameter, and in it the fillers of its blobs
    "Bias": ("bias_param", "filler"),
    "Convolution": ("convolution_param", "weight_filler", "bias_filler"),
    "ConvolutionDepthwise": ("convolution_param", "weight_filler", "bias_filler"),
    "Deconvolution": ("convolution_param", "weight_filler", "bias_filler"),
    "Embed": ("embed_param", "weight_filler", "bias_filler"),
    "InnerProduct": ("inner_product_param", "weight_filler", "bias_filler"),
    "PReLU": ("prelu_param", "filler"),
    "Scale": ("scale_param", "filler", "bias_filler"),
}

_MOST = 1 << 26
"""Values that are made for a blob: a text alone must not be able to ask for any number of them."""


def filled_by_fillers(layer: Layer, shapes: Sequence[PartialShape] | None) -> tuple[tuple[Blob, ...], Note] | None:
    """The arrays of a layer of which a file has none, and a note; `None` where they are random, or not known.

    The text must name the filler of the first; what Caffe takes where it does not would make every lost kernel one of
    zeros. What was to be learned all the same comes with a warning.
    """
    name = LAYER_TYPES[layer.type].like or layer.type if layer.type in LAYER_TYPES else ""
    known = [whole(shape) for shape in shapes or ()]
    if name not in _FILLERS or not known:
        return None
    field, *names = _FILLERS[name]
    settings = getattr(layer.param, field)
    if not settings.HasField(names[0]):
        return None
    blobs: list[Blob] = []
    words: list[str] = []
    for shape, filler in zip(known, (getattr(settings, each) for each in names), strict=False):
        values = _values(filler, shape) if shape is not None else None
        if values is None:
            return None
        blobs.append(Blob(values))
        words.append(f"constant {filler.value:g}" if filler.type == "constant" else filler.type)
    if len(blobs) < len(known):
        return None
    text = f"not in the caffemodel, so it has what its fillers give in Caffe, {' and '.join(words)}"
    rates = [spec.lr_mult for spec in layer.param.param[: len(blobs)]]
    if len(rates) == len(blobs) and not any(rates):
        return tuple(blobs), Note("info", layer.name, text)
    return tuple(blobs), Note("warning", layer.name, f"{text}: see why, since its lr_mult lets it be learned")


def _values(filler: FillerParameter, shape: Shape) -> npt.NDArray[np.float32] | None:
    if math.prod(shape) > _MOST:
        return None
    if filler.type == "constant":
        view: npt.NDArray[np.float32] = np.broadcast_to(np.float32(filler.value), shape)
        return view
    if filler.type != "bilinear" or len(shape) != 4 or shape[2] != shape[3]:
        return None  # Caffe refuses a bilinear kernel that is not square
    half = math.ceil(shape[3] / 2)
    center = np.float32((shape[3] - 1) / (2 * half))
    along = np.float32(1) - np.abs(np.arange(shape[3], dtype=np.float32) / np.float32(half) - center)
    kernel: npt.NDArray[np.float32] = np.broadcast_to(np.outer(along, along), shape)
    return kernel
