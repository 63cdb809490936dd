"""Activations, value by value or along one axis, and the slopes of PReLU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from caffeconv.errors import UnsupportedError
from caffeconv.keras.building import Site
from caffeconv.keras.graph import Value
from caffeconv.keras.rules.arrays import broadcast_alpha
from caffeconv.keras.rules.fixed_points import bits_of, is_enabled
from caffeconv.keras.rules.operands import bottom_shape, channel_count, check_size, decimal, take
from caffeconv.keras.rules.record import Build, Context, Parts, Rule, kept_held
from caffeconv.keras.rules.wrapping import by_feature
from caffeconv.model import KerasCall, Layer
from caffeconv.net.shapes.params import optional

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
    first = shape is not None and not shared and context.keeps_axes
    axes = list(range(2, rank + 1)) if first else list(range(1, rank + 1 if shared else rank))
    warnings: tuple[str, ...] = ()
    if shape is None:
        warnings = ("the number of its axes cannot be known; alpha is shaped for an input (N, H, W, C)",)
    return Parts(
        KerasCall("PReLU", (("shared_axes", axes),) if axes else ()),
        (broadcast_alpha(blob, rank, first),),
        warnings=warnings,
    )


def _simple(class_name: str, **arguments: Any) -> Build:
    """A layer of Keras that works value by value, or a function that does."""

    def build(site: Site) -> Sequence[Value]:
        value = site.inputs[0]
        return (Value(site.call(class_name, value.edge, **arguments), value.held),)

    return build


def _identity(site: Site) -> Sequence[Value]:
    """Nothing to do when the net is not trained."""
    return site.inputs[:1]


def _relu(site: Site) -> Sequence[Value]:
    param = site.layer.param.relu_param
    slope = decimal(param.negative_slope)
    most = {"max_value": 6.0} if param.relu6 else {}
    if most:
        site.warn("its relu6 is set: it cuts off at 6, too, which a model of your own needs a max_value for")
    return _simple("ReLU", **most, **({"negative_slope": slope} if slope else {}))(site)


def _between_slopes(site: Site) -> Sequence[Value]:
    """RReLU and Insanity: below 0 divided by the mean of the divisors that it draws from when it is trained.

    With `lb` and `ub` that is (ub - lb) / ln(ub / lb) (rrelu_layer of ducha-aiki, insanity_layer of happynear).
    """
    settings = optional(site.layer.param, "rrelu_param" if site.layer.type == "RReLU" else "insanity_param")
    low, high = (3.0, 8.0) if settings is None else (decimal(settings.lb), decimal(settings.ub))
    if low * high == 0 or high <= low or abs(low) == abs(high):
        return site.unsupported(
            f"its divisors are between {low:g} and {high:g}, which have no mean that Caffe computes"
        )
    if not (low.is_integer() and high.is_integer()):
        site.note("the bounds of its divisors are no whole numbers, which some builds of Caffe round towards 0")
    return _simple("ReLU", negative_slope=math.log(abs(high) / abs(low)) / (high - low))(site)


def _relu6(site: Site) -> Sequence[Value]:
    return _simple("ReLU", max_value=6.0)(site)


def _elu(site: Site) -> Sequence[Value]:
    return _simple("ELU", alpha=decimal(site.layer.param.elu_param.alpha))(site)


def _power(site: Site) -> Sequence[Value]:
    """(shift + scale·x) ** power."""
    param = site.layer.param.power_param
    power, scale, shift = (decimal(each) for each in (param.power, param.scale, param.shift))
    if power == 1:
        return _simple("Rescaling", scale=scale, offset=shift)(site)
    return _simple("Power", power=power, scale=scale, shift=shift)(site)


def _exp(site: Site) -> Sequence[Value]:
    """base ** (shift + scale·x); a base of -1 is e."""
    param = site.layer.param.exp_param
    log = 1.0 if param.base == -1 else math.log(param.base) if param.base > 0 else math.nan
    factor, offset = log * decimal(param.scale), log * decimal(param.shift)
    return _simple("Exponential", factor=factor, offset=offset)(site)


def _log(site: Site) -> Sequence[Value]:
    """log to a base of (shift + scale·x); a base of -1 is e."""
    param = site.layer.param.log_param
    factor = 1.0 if param.base == -1 else 1 / math.log(param.base) if param.base > 0 else math.nan
    return _simple("Logarithm", factor=factor, scale=decimal(param.scale), shift=decimal(param.shift))(site)


def _clip(site: Site) -> Sequence[Value]:
    param = site.layer.param.clip_param
    return _simple("Clip", low=decimal(param.min), high=decimal(param.max))(site)


def _threshold(site: Site) -> Sequence[Value]:
    return _simple("Threshold", threshold=decimal(site.layer.param.threshold_param.threshold))(site)


def _swish(site: Site) -> Sequence[Value]:
    beta = decimal(site.layer.param.swish_param.beta)
    return _simple("Activation", activation="swish")(site) if beta == 1 else _simple("Swish", beta=beta)(site)


def _hard_sigmoid(site: Site) -> Sequence[Value]:
    """alpha·x + beta, between 0 and 1; 0.2 and 0.5 where a fork gives none."""
    settings = optional(site.layer.param, "hard_sigmoid_param")
    alpha, beta = (optional(settings, name) if settings is not None else None for name in ("alpha", "beta"))
    value = site.inputs[0]
    line = (0.2 if alpha is None else decimal(alpha), 0.5 if beta is None else decimal(beta))
    edge = site.call("Rescaling", value.edge, part="before", name="line", scale=line[0], offset=line[1])
    return (Value(site.call("ReLU", edge, max_value=1.0), value.held),)


def _dropout(site: Site) -> Sequence[Value]:
    """The identity when the net is not trained; with Fast R-CNN's `scale_train: false` it scales then, instead."""
    param = site.layer.param.dropout_param
    rate = decimal(param.dropout_ratio)
    if optional(param, "scale_train") is False:
        site.warn(
            f"its scale_train is false: it multiplies by 1 - dropout_ratio = {1 - rate:g} when the net is not trained, "
            "where Keras' Dropout does nothing; a model of your own needs the Rescaling that --format py writes"
        )
        return _simple("Rescaling", scale=1 - rate)(site)
    if not 0 <= rate < 1:
        return _identity(site)
    return _simple("Dropout", rate=rate)(site)


def _quantized(site: Site) -> Sequence[Value]:
    return site.unsupported(
        "the forks that have a Quantization contradict each other: between the extremes of each batch, or of a range "
        "that is given, in steps that are powers of 2; leave it out, or put a layer of your own in its place"
    )


def _fixed(site: Site) -> Sequence[Value]:
    """Vitis' FixedNeuron: numbers of so many bits, with as many behind the point as its one blob says."""
    if not is_enabled(site.layer):
        return _identity(site)
    if not site.layer.blobs:
        return site.unsupported("where the point of its numbers is stands in its blob, which is missing")
    (blob,) = take(site.layer, 1)
    place, bits = float(blob.reshape(-1)[0]), bits_of(site.layer)
    if blob.size != 1 or not abs(place) < 64:
        raise UnsupportedError(f"its blob, of shape {blob.shape}, does not say where the point of its numbers is")
    step = 2.0 ** -math.floor(place)
    settings = optional(site.layer.param, "fixed_param")
    bounds = (-(2.0 ** (bits - 1)) * step, 2.0 ** (bits - 1) * step - step)
    low, high = (None, None) if settings is not None and settings.follow_data_layer else bounds
    site.note(f"rounds to steps of {step:g}, as its blob says; the blob itself is not written")
    return _simple("FixedPoint", step=step, low=low, high=high)(site)


def _softmax(site: Site) -> Sequence[Value]:
    value = site.inputs[0]
    rank, axis = value.held.rank, site.layer.param.softmax_param.axis
    if rank is None:
        return (Value(site.call("Softmax", value.edge), value.held),)
    axis %= rank
    place = value.held.axis(axis)
    arguments: dict[str, Any] = {} if place == rank - 1 else {"axis": place}
    if axis != 1:
        site.note(f"along axis {axis} of Caffe's, which is axis {place} in Keras")
    return (Value(site.call("Softmax", value.edge, **arguments), value.held),)


_BY_VALUE = {
    "AbsVal": _simple("Absolute"),
    "BNLL": _simple("Activation", activation="softplus"),
    "Clip": _clip,
    "Dropout": _dropout,
    "ELU": _elu,
    "Exp": _exp,
    "Log": _log,
    "Power": _power,
    "ReLU": _relu,
    "Sigmoid": _simple("Activation", activation="sigmoid"),
    "Swish": _swish,
    "TanH": _simple("Activation", activation="tanh"),
    "Threshold": _threshold,
    "ReLU6": _relu6,
}
"""Types that, given channels in another order, put theirs out in that order."""

ROWS = {
    **{name: Rule(build=build) for name, build in _BY_VALUE.items()},
    "PReLU": Rule(
        "slope", "PReLU", "alpha", by_feature(_prelu), held=kept_held, along="features"
    ),
    "Softmax":        Rule(build=_softmax),
    "DropoutChannel": Rule(build=_identity),
    "FixedNeuron":    Rule(build=_fixed, reads_blobs=True),
    "HardSigmoid":    Rule(build=_hard_sigmoid),
    "HardSwish":      Rule(build=_simple("HardSwish")),
    "Insanity":       Rule(build=_between_slopes),
    "Mish":           Rule(build=_simple("Activation", activation="mish")),
    "Quantization":   Rule(build=_quantized),
    "RReLU":          Rule(build=_between_slopes),
    "SELU":           Rule(build=_simple("Activation", activation="selu")),
}  # fmt: skip
