"""Where blobs come from and where they end: inputs, data, learned blobs; output shapes and parameter blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from caffeconv.model import Shape
from caffeconv.net.shapes.axes import UNKNOWN, declared_shape
from caffeconv.net.shapes.row import MaybeShapes, Row, Shapes, nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]

_T = TypeVar("_T")


def _input_blobs(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`Input`: a shape for each top, or one for all."""
    shapes = param.input_param.shape
    if not shapes:
        return ()
    return _for_each_top(param, [declared_shape(shape) for shape in shapes], "shapes")


def _parameter(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`Parameter`: the shape of its one blob."""
    return (declared_shape(param.parameter_param.shape),)


def _dummy_data(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`DummyData`: `shape`, or num, channels, height and width; once for each top or once for all."""
    settings = param.dummy_data_param
    legacy = (settings.num, settings.channels, settings.height, settings.width)
    if not any(legacy):
        return _for_each_top(param, [declared_shape(shape) for shape in settings.shape], "shapes")
    if settings.shape:
        raise ValueError("shape and num, channels, height, width exclude each other")
    sizes = [
        _for_each_top(param, each, name)
        for each, name in zip(legacy, ("num", "channels", "height", "width"), strict=True)
    ]
    return tuple(zip(*sizes, strict=True))


def _memory_data(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`MemoryData`: images (N, C, H, W) and labels (N)."""
    settings = param.memory_data_param
    return (settings.batch_size, settings.channels, settings.height, settings.width), (settings.batch_size,)


def _data(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`Data`: images (N, C, H, W) of a database, where C stands, and the size if they are not cropped; labels (N)."""
    return _cropped(param, param.data_param.batch_size), _labels(param.data_param.batch_size)


def _window_data(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`WindowData`: images (N, C, H, W), with C from the window file, and labels (N)."""
    settings = param.window_data_param
    return _cropped(param, settings.batch_size, settings.crop_size), _labels(settings.batch_size)


def _image_data(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`ImageData`: images (N, 3 or 1, H, W), known where they are cropped or resized, and labels (N)."""
    settings = param.image_data_param
    channels = 3 if settings.is_color else 1
    crop = param.transform_param.crop_size
    height, width = (crop, crop) if crop else (settings.new_height or UNKNOWN, settings.new_width or UNKNOWN)
    return (settings.batch_size or UNKNOWN, channels, height, width), _labels(settings.batch_size)


def _cropped(param: LayerParameter, batch_size: int, own_crop: int = 0) -> Shape:
    crop = param.transform_param.crop_size or own_crop or UNKNOWN
    return batch_size or UNKNOWN, UNKNOWN, crop, crop


def _labels(batch_size: int) -> Shape:
    return (batch_size or UNKNOWN,)


def _for_each_top(param: LayerParameter, given: Sequence[_T], what: str) -> tuple[_T, ...]:
    """What is given for each top, or once for all."""
    if len(given) not in (1, len(param.top)):
        raise ValueError(f"{len(given)} {what} for {len(param.top)} tops")
    return tuple(given) if len(given) == len(param.top) else (given[0],) * len(param.top)


def _parameter_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """The one blob that the layer puts out. `include/caffe/layers/parameter_layer.hpp`."""
    return (declared_shape(param.parameter_param.shape),)


_DATA = Row(0, nothing, unknown="the shape of its tops stands in the data")

ROWS = {
    "Data":           Row(0, _data, unknown="the shape of its images stands in the database"),
    "DummyData":      Row(0, _dummy_data),
    "HDF5Data":       _DATA,
    "HDF5Output":     Row(0, nothing),
    "ImageData":      Row(0, _image_data, unknown="its images are neither cropped nor resized"),
    "Input":          Row(0, _input_blobs, unknown="no shape is given"),
    "MemoryData":     Row(0, _memory_data),
    "Parameter":      Row(0, _parameter, _parameter_blobs),
    "Silence":        Row(0, nothing),
    "WindowData":     Row(0, _window_data, unknown="the number of channels stands in the window file"),
    "AnnotatedData":  _DATA,
    "DenseImageData": _DATA,
    "ImageSegData":   _DATA,
    "VideoData":      _DATA,
}  # fmt: skip
