"""What combines blobs value by value, and the factors and offsets of Scale and Bias along some axes."""

from __future__ import annotations

import dataclasses

from caffeconv.keras.rules.affine import along_axes, same_size
from caffeconv.keras.rules.flattening import joined, kept, last_kept
from caffeconv.keras.rules.operands import take
from caffeconv.keras.rules.record import Context, Parts, Rule
from caffeconv.keras.rules.wrapping import by_feature, stored
from caffeconv.model import Layer

__all__ = ["ROWS"]

_MULTIPLY = "multiplies by its second bottom first: Keras' Multiply before it, the arrays here are the offsets"


def _scale(layer: Layer, context: Context) -> Parts:
    """gamma [, beta] of shape bottom[axis:axis+num_axes] (`scale_layer.cpp`); with two bottoms beta only."""
    axis = layer.param.scale_param.axis
    if len(layer.bottoms) > 1:
        (offsets,) = take(layer, 1)
        parts = along_axes(layer, context, axis, None, offsets)
        return dataclasses.replace(parts, notes=(*parts.notes, _MULTIPLY))
    gamma, *betas = take(layer, 1, 2)
    same_size(gamma, *betas)
    return along_axes(layer, context, axis, gamma, betas[0].reshape(gamma.shape) if betas else None)


def _bias(layer: Layer, context: Context) -> Parts:
    """One blob of shape bottom[axis:axis+num_axes] (`bias_layer.cpp`)."""
    (beta,) = take(layer, 1)
    return along_axes(layer, context, layer.param.bias_param.axis, None, beta)


_NORM = "BatchNormalization"

ROWS = {
    "Bias": Rule(
        "beta", _NORM, "beta, moving_mean, moving_variance", by_feature(_bias),
        order=joined, along="features", channels="kept",
    ),
    "Eltwise": Rule(order=joined, channels="kept"),
    "Scale": Rule(
        "[gamma,] [beta]", _NORM, "[gamma,] [beta,] moving_mean, moving_variance", by_feature(_scale),
        order=joined, along="features", channels="kept",
    ),
    "Axpy": Rule(order=last_kept),
    "ChannelScale": Rule("scale", "none, as stored", "scale", stored("scale")),
    "EltwiseAffine": Rule(),
    "Mul": Rule(order=kept),
}  # fmt: skip
