"""Activations, value by value or along one axis, and the slopes of PReLU."""

from __future__ import annotations

from caffeconv.keras.rules.arrays import broadcast_alpha
from caffeconv.keras.rules.flattening import kept
from caffeconv.keras.rules.operands import bottom_shape, channel_count, check_size, take
from caffeconv.keras.rules.record import Context, Parts, Rule
from caffeconv.keras.rules.wrapping import by_feature
from caffeconv.model import KerasCall, Layer

__all__ = ["ROWS"]


def _prelu(layer: Layer, context: Context) -> Parts:
    """(C), or () when shared (`prelu_layer.cpp`) -> alpha (1, …, C) or (1, …, 1) with the other axes shared.

    Where Keras has Caffe's axes, alpha is (C, 1, …).
    """
    (blob,) = take(layer, 1)
    shape, channels = bottom_shape(layer), channel_count(layer)
    rank = 3 if shape is None else max(len(shape) - 1, 1)
    shared = layer.param.prelu_param.channel_shared
    if shared or channels is not None:
        check_size("slope", blob, 1 if shared else channels or 1)
    first = shape is not None and not shared and context.keeps_axes(len(shape))
    axes = list(range(2, rank + 1)) if first else list(range(1, rank + 1 if shared else rank))
    warnings: tuple[str, ...] = ()
    if shape is None:
        warnings = ("the number of its axes cannot be known; alpha is shaped for an input (N, H, W, C)",)
    return Parts(
        KerasCall("PReLU", (("shared_axes", axes),) if axes else ()),
        (broadcast_alpha(blob, rank, first),),
        warnings=warnings,
    )


_BY_VALUE = Rule(order=kept, channels="kept")

ROWS = {
    "AbsVal":    _BY_VALUE,
    "BNLL":      _BY_VALUE,
    "Clip":      _BY_VALUE,
    "Dropout":   _BY_VALUE,
    "ELU":       _BY_VALUE,
    "Exp":       _BY_VALUE,
    "Log":       _BY_VALUE,
    "PReLU": Rule(
        "slope", "PReLU", "alpha", by_feature(_prelu),
        order=kept, along="features", channels="kept",
    ),
    "Power":     _BY_VALUE,
    "ReLU":      _BY_VALUE,
    "Sigmoid":   _BY_VALUE,
    "Softmax":   Rule(order=kept),
    "Swish":     _BY_VALUE,
    "TanH":      _BY_VALUE,
    "Threshold": _BY_VALUE,
    "DropoutChannel": Rule(order=kept),
    "FixedNeuron":    Rule(order=kept),
    "HardSigmoid":    Rule(order=kept),
    "HardSwish":      Rule(order=kept),
    "Insanity":       Rule(order=kept),
    "Mish":           Rule(order=kept),
    "Quantization":   Rule(order=kept),
    "RReLU":          Rule(order=kept),
    "ReLU6":          _BY_VALUE,
    "SELU":           Rule(order=kept),
}  # fmt: skip
