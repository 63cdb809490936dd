"""What combines blobs value by value, and the factors and offsets of Scale and Bias along some axes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from caffeconv.keras.building import Site, target
from caffeconv.keras.graph import Edge, Held, Value
from caffeconv.keras.rules.affine import along_axes, same_size
from caffeconv.keras.rules.learning import learned
from caffeconv.keras.rules.operands import decimal, take
from caffeconv.keras.rules.record import Context, Parts, Rule, kept_held
from caffeconv.keras.rules.slicing import together
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


def _eltwise(site: Site) -> Sequence[Value]:
    """The sum with coefficients, the product or the maximum; forks: the quotient and the minimum."""
    param = site.layer.param.eltwise_param
    values = together(site, site.inputs)
    held = Held(values[0].held.layout, site.top(), values[0].held.segments)
    edges = [value.edge for value in values]
    operation = _OPERATIONS.get(param.operation)
    if operation is None:
        return site.unsupported(f"operation {param.operation} is none of Caffe's")
    if operation == "Add" and any(coeff != 1 for coeff in param.coeff):
        coeffs = [decimal(coeff) for coeff in param.coeff]
        if coeffs == [1, -1]:
            return (Value(site.call("Subtract", *edges), held),)
        edges = [
            site.call("Rescaling", edge, part="before", name=f"times{number}", scale=coeff) if coeff != 1 else edge
            for number, (edge, coeff) in enumerate(zip(edges, coeffs, strict=True))
        ]
    if len(edges) == 1:
        return (Value(edges[0], held),)
    return (Value(site.call(operation, *edges), held),)


def _scaled(site: Site) -> Sequence[Value]:
    """Scale: by its own factors, or by those of a second bottom, with the offsets that it may have."""
    if len(site.inputs) < 2:
        return learned(site, ROWS["Scale"])
    spread = _spread(site, site.layer.param.scale_param.axis)
    if spread is None and site.layer.blobs:
        return site.blocked(learned(site, ROWS["Scale"]), "its second bottom does not begin with the batch")
    if spread is None:
        return site.unsupported("its second bottom does not begin with the batch")
    first, second = spread
    if not site.layer.blobs:
        return (Value(site.call("Multiply", first.edge, second), dataclasses.replace(first.held, shape=site.top())),)
    product = site.call("Multiply", first.edge, second, part="before", name="multiply")
    behind = dataclasses.replace(site, inputs=(Value(product, first.held),))
    return learned(behind, ROWS["Scale"])


def _shifted(site: Site) -> Sequence[Value]:
    """Bias: by its own offsets, or by those of a second bottom."""
    if len(site.inputs) < 2:
        return learned(site, ROWS["Bias"])
    spread = _spread(site, site.layer.param.bias_param.axis)
    if spread is None:
        return site.unsupported("its second bottom does not begin with the batch")
    first, second = spread
    return (Value(site.call("Add", first.edge, second), dataclasses.replace(first.held, shape=site.top())),)


def _spread(site: Site, axis: int) -> tuple[Value, Edge] | None:
    """The first bottom, and the second with an axis of size 1 wherever it has none, so that Keras repeats it."""
    first, second = site.inputs[:2]
    shape, other = first.held.shape, second.held.shape
    if shape is None or not other or axis % len(shape):
        return None
    if len(other) == len(shape):
        first, second = together(site, (first, second))
        return first, second.edge
    first = site.brought(first, "axes") if first.held.layout == "flat" else first
    second = site.brought(second, "axes")
    full = (*other, *[1] * (len(shape) - len(other)))
    if sum(size != 1 for size in full[1:]) > 1 and first.held.layout == "last":
        second = site.brought(second, "last")
        full = (full[0], *other[2:], *[1] * (len(shape) - len(other)), other[1])
        return first, site.call("Reshape", second.edge, part="before", name="spread", target_shape=target(full[1:]))
    sizes = (*full[2:], full[1]) if first.held.layout == "last" else full[1:]
    return first, site.call("Reshape", second.edge, part="before", name="spread", target_shape=target(sizes))


def _axpy(site: Site) -> Sequence[Value]:
    """SENet's a·x + y, with a of one value a channel."""
    factor, scaled, added = site.inputs[:3]
    scaled, added = together(site, (scaled, added))
    shape = scaled.held.shape
    if shape is None or scaled.held.layout != "last":
        return site.unsupported("the axes of its bottoms are not known")
    edge = site.brought(factor, "last").edge
    if factor.held.rank == 2:
        sizes = (*[1] * (len(shape) - 2), -1 if shape[1] is None else shape[1])
        edge = site.call("Reshape", edge, part="before", name="factors", target_shape=sizes)
    product = site.call("Multiply", scaled.edge, edge, part="before", name="multiply")
    return (Value(site.call("Add", product, added.edge), Held("last", site.top())),)


def _multiplied(site: Site) -> Sequence[Value]:
    """A fork's Mul of two blobs of one rank."""
    if len(site.inputs) < 2 or site.inputs[0].held.rank != site.inputs[1].held.rank:
        return site.unsupported("its factor is a constant, or has other axes")
    first, second = together(site, site.inputs[:2])
    return (Value(site.call("Multiply", first.edge, second.edge), Held(first.held.layout, site.top())),)


_NORM = "BatchNormalization"
_OPERATIONS = {0: "Multiply", 1: "Add", 2: "Maximum", 10001: "Minimum"}
"""EltwiseParameter.EltwiseOp."""

ROWS = {
    "Bias": Rule(
        "beta", _NORM, "beta, moving_mean, moving_variance", by_feature(_bias),
        held=kept_held, build=_shifted, along="features", channels="kept",
    ),
    "Eltwise": Rule(build=_eltwise, channels="kept"),
    "Scale": Rule(
        "[gamma,] [beta]", _NORM, "[gamma,] [beta,] moving_mean, moving_variance", by_feature(_scale),
        held=kept_held, build=_scaled, along="features", channels="kept",
    ),
    "Axpy": Rule(build=_axpy),
    "ChannelScale": Rule("scale", "none, as stored", "scale", stored("scale")),
    "EltwiseAffine": Rule(),
    "Mul": Rule(build=_multiplied),
}  # fmt: skip
