"""Pooling has no weights, but what stands behind it gets other sizes if Keras pools as Keras does by itself.

Caffe rounds sizes up and lets the last window stick out; Keras rounds down (`pooling_layer.cpp`).
"""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.keras.rules.flattening import SPATIAL, MaybeOrder, Order, kept, maps
from caffeconv.keras.rules.record import Context, Parts, Rule
from caffeconv.model import KerasCall, Layer, Shape
from caffeconv.net.shapes.windows import Window, pooling_windows

__all__ = ["ROWS"]

_NAMES = {0: "MaxPooling", 1: "AveragePooling"}
"""Values of PoolingParameter.pool; stochastic pooling (2) averages with weights, which no Keras layer does."""

_NOTHING = Parts(None, ())


def _pooling(layer: Layer, _: Context) -> Parts:
    """The Keras layers that pool as Caffe does; none where a size is not known, or where none does."""
    param = layer.param.pooling_param
    bottom = layer.bottom_shapes[0] if layer.bottom_shapes else None
    top = layer.top_shapes[0] if layer.top_shapes else None
    name = _NAMES.get(param.pool)
    if bottom is None or top is None or len(bottom) not in (3, 4, 5) or len(top) != len(bottom) or name is None:
        return _NOTHING
    axes = len(bottom) - 2
    if param.global_pooling:
        return Parts(KerasCall(f"Global{name}{axes}D", (("keepdims", True),)), ())
    try:
        windows = pooling_windows(param, bottom[2:])
    except ValueError:
        return _NOTHING
    pads = tuple(_pads(*each) for each in zip(windows, bottom[2:], top[2:], strict=True))
    call = KerasCall(
        f"{name}{axes}D",
        (("pool_size", tuple(w.kernel for w in windows)), ("strides", tuple(w.stride for w in windows))),
    )
    if not any(map(any, pads)):
        return Parts(call, ())
    before = (KerasCall(f"ZeroPadding{axes}D", (("padding", pads if axes > 1 else pads[0]),)),)
    return Parts(call, (), before, notes=_differences(windows, pads, name, _is_past_end(windows, bottom, top)))


def _pads(window: Window, size: int, pooled: int) -> tuple[int, int]:
    """What to put before and behind an axis so that as many windows fit as Caffe has."""
    before = window.pad[0]
    return before, max((pooled - 1) * window.stride + window.extent - size - before, 0)


def _is_past_end(windows: tuple[Window, ...], bottom: Shape, top: Shape) -> bool:
    """Whether a last window begins behind the image, as it can where the stride is larger than the kernel."""
    return any(
        (pooled - 1) * window.stride - window.pad[0] >= size
        for window, size, pooled in zip(windows, bottom[2:], top[2:], strict=True)
    )


def _differences(
    windows: tuple[Window, ...], pads: tuple[tuple[int, int], ...], name: str, past_end: bool
) -> tuple[str, ...]:
    """Where the values, not the sizes, are not Caffe's."""
    if past_end:
        return ("its last windows lie behind the image, where Caffe puts out no sensible number: their values differ",)
    if name == "MaxPooling":
        return ("Caffe takes the maximum without what was padded: the same where no input is negative",)
    if any(pad[1] > window.pad[1] for window, pad in zip(windows, pads, strict=True)):
        return ("Caffe averages the windows that stick out over the part that is inside: their values differ",)
    return ()


def _pyramid(layer: Layer, _: Sequence[MaybeOrder], __: int) -> MaybeOrder:
    bottom, height = layer.bottom_shapes[0], layer.param.spp_param.pyramid_height
    if bottom is None or height > 32:
        return None
    levels = tuple((bottom[1], 2**level, 2**level) for level in range(height))
    return Order("flat", levels) if height > 1 else SPATIAL


ROWS = {
    "Pooling":   Rule(convert=_pooling, order=kept, channels="kept"),
    "SPP":       Rule(order=_pyramid),
    "Pooling3D": Rule(order=maps),
}  # fmt: skip
