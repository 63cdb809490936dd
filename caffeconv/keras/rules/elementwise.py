"""What combines blobs value by value, and the factors and offsets of Scale and Bias along some axes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from caffeconv.errors import UnsupportedError
from caffeconv.keras.building import Site, target
from caffeconv.keras.graph import Edge, Held, Value
from caffeconv.keras.rules.affine import along_axes, same_size
from caffeconv.keras.rules.learning import learned
from caffeconv.keras.rules.operands import decimal, take, word_of
from caffeconv.keras.rules.record import Context, Parts, Rule, kept_held
from caffeconv.keras.rules.slicing import together
from caffeconv.keras.rules.wrapping import by_feature, stored
from caffeconv.model import KerasCall, Layer, PartialShape, Weight
from caffeconv.net.shapes.axes import agree, with_unknown
from caffeconv.net.shapes.params import optional

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
        return site.refused(f"operation: {word_of(param, 'operation')} is a fork's, which is not known")
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
        return _affine(site)
    axis = site.layer.param.scale_param.axis
    spread = _spread(site, axis)
    more: dict[str, Any] = {"part": "before", "name": "multiply"} if site.layer.blobs else {}
    if spread is None:
        first, edge = _placed(site, "ScaleBy", axis, more and more | {"part": "glue"})
    else:
        first, edge = spread[0], site.call("Multiply", spread[0].edge, spread[1], **more)
    product = Value(edge, dataclasses.replace(first.held, shape=site.top()))
    return _affine(dataclasses.replace(site, inputs=(product,))) if site.layer.blobs else (product,)


def _affine(site: Site) -> Sequence[Value]:
    """By its own factors or offsets; in a class of ours where those of the items of a batch differ."""
    param, shape, blob = site.layer.param.scale_param, site.inputs[0].held.shape, site.layer.blobs[0]
    along = shape is not None and agree(with_unknown(shape[: blob.array.ndim]), blob.shape)
    if shape is None or param.axis % len(shape) or blob.array.ndim == 0 or not along:
        return learned(site, ROWS["Scale"])
    scaled = len(site.layer.bottoms) < 2
    names = ("gamma", "beta") if scaled else ("beta",)
    value = site.brought(site.inputs[0], "axes") if site.inputs[0].held.layout == "flat" else site.inputs[0]
    arrays = take(site.layer, len(site.layer.blobs))
    same_size(*arrays)
    weights = tuple(Weight(name, array, array.shape) for name, array in zip(names, arrays, strict=False))
    places = (("shape", _full(blob.shape, shape, 0)), ("axes", _turn(value)), ("scaled", scaled))
    site.note("needs a layer of your own, or that of --format py: the items of a batch differ in factors or offsets")
    return (Value(site.add(KerasCall("Affine", places), (value.edge,), weights=weights), value.held),)


def _shifted(site: Site) -> Sequence[Value]:
    """Bias: by its own offsets, or by those of a second bottom."""
    if len(site.inputs) < 2:
        return learned(site, ROWS["Bias"])
    axis = site.layer.param.bias_param.axis
    spread = _spread(site, axis)
    if spread is None:
        first, edge = _placed(site, "ShiftBy", axis, {})
    else:
        first, edge = spread[0], site.call("Add", spread[0].edge, spread[1])
    return (Value(edge, dataclasses.replace(first.held, shape=site.top())),)


def _placed(site: Site, class_name: str, axis: int, more: Mapping[str, Any]) -> tuple[Value, Edge]:
    """The first bottom, and what becomes of it by the second, which lies along it from any axis on."""
    first, second = site.inputs[0], site.brought(site.inputs[1], "axes")
    first = site.brought(first, "axes") if first.held.layout == "flat" else first
    shape, other = first.held.shape, second.held.shape
    if shape is None or other is None or "unknown" in (first.held.layout, second.held.layout):
        raise UnsupportedError("the axes of its bottoms are not known: give --input-shape")
    full = _full(other, shape, axis % len(shape))
    if sum(size is None for size in full) > 1:
        raise UnsupportedError("the sizes of its second bottom are not known: give --input-shape")
    return first, site.call(class_name, first.edge, second.edge, **more, shape=target(full), axes=_turn(first))


def _full(sizes: PartialShape, shape: PartialShape, axis: int) -> PartialShape:
    """As many axes as `shape` has, of which `sizes` are those from `axis` on."""
    return (*[1] * axis, *sizes, *[1] * (len(shape) - axis - len(sizes)))


def _turn(value: Value) -> tuple[int, ...]:
    """Caffe's axes in the order in which Keras has those of a blob."""
    rank = len(value.held.shape or ())
    return (0, *range(2, rank), 1) if value.held.layout == "last" else tuple(range(rank))


def _spread(site: Site, axis: int) -> tuple[Value, Edge] | None:
    """The first bottom, and the second with an axis of size 1 wherever it has none, so that Keras repeats it.

    `None` where the second does not begin with the batch.
    """
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


def _scaled_by_channel(site: Site) -> Sequence[Value]:
    """happynear's ChannelScale: by one number of a second bottom for each pixel, or by a learned one for all."""
    settings = optional(site.layer.param, "channel_scale_param")
    if settings is not None and not settings.do_forward:
        return site.inputs[:1]
    value = site.brought(site.inputs[0], "last")
    if site.layer.blobs:
        parts = stored("scale")(site.layer, Context())
        call, tops = KerasCall("ScaleWhole", (("tops", len(site.layer.tops)),)), len(site.layer.tops)
        edge = site.add(call, (value.edge,), weights=parts.weights, outputs=tops)
        made = Value(edge, value.held), Value(Edge(edge.node, 1), Held("axes", (1,)))
        return made[:tops]
    shape = value.held.shape
    if shape is None or len(shape) not in (2, 4) or None in shape[2:] or len(site.inputs) < 2:
        return site.unsupported("the size of its bottom is not known: give --input-shape")
    factors = site.brought(site.inputs[1], "axes").edge
    edge = site.call("ScaleBy", value.edge, factors, shape=target((None, 1, *shape[2:])), axes=_turn(value))
    return (Value(edge, value.held),)


def _slope_and_offset(layer: Layer, context: Context) -> Parts:
    """happynear's EltwiseAffine: slope (C) or (), offset likewise -> as a Scale's gamma and beta."""
    gamma, beta = (blob.reshape(() if blob.size == 1 else -1) for blob in take(layer, 2))
    same_size(gamma, beta)
    return along_axes(layer, context, 1, gamma, beta)


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
        held=kept_held, build=_shifted, along="features",
    ),
    "Eltwise": Rule(build=_eltwise),
    "Scale": Rule(
        "[gamma,] [beta]", _NORM, "[gamma,] [beta,] moving_mean, moving_variance", by_feature(_scale),
        held=kept_held, build=_scaled, along="features",
    ),
    "Axpy": Rule(build=_axpy),
    "ChannelScale": Rule(
        "[scale]", "a layer of your own", "scale", stored("scale"), build=_scaled_by_channel, may_lack=True
    ),
    "EltwiseAffine": Rule(
        "slope, offset", _NORM, "gamma, beta, moving_mean, moving_variance", by_feature(_slope_and_offset),
        held=kept_held, along="features",
    ),
    "Mul": Rule(build=_multiplied),
}  # fmt: skip
