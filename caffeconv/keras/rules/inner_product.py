"""InnerProduct and its kin, and Embed."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.keras.building import Site, product, target
from caffeconv.keras.graph import Held, Value
from caffeconv.keras.rules.arrays import dense_kernel, vector
from caffeconv.keras.rules.learning import as_stored, learned
from caffeconv.keras.rules.operands import bottom_shape, check_size, matrix, take
from caffeconv.keras.rules.record import Context, Parts, Rule, caffes_axes, caffes_held
from caffeconv.keras.rules.wrapping import flattened_from, stored, unknown_order, without_masks
from caffeconv.model import Array, KerasCall, Layer, MaybeShape, Weight
from caffeconv.net.shapes.params import optional

__all__ = ["ROWS"]

_NORMALIZED = "{} brought to length 1, as its layer does (normalize)"


def _inner_product(layer: Layer, context: Context) -> Parts:
    """W (N, K), or (K, N) with `transpose`; [b (N)] (`inner_product_layer.cpp`) -> kernel (K, N), bias (N)."""
    param = layer.param.inner_product_param
    weight, *biases = take(layer, 1, 2)
    if not param.normalize:
        return _dense(layer, context, matrix(weight), param.transpose, biases, param.axis)
    weight = _of_length_1(matrix(weight), axis=0 if param.transpose else 1)
    parts = _dense(layer, context, weight, param.transpose, biases, param.axis)
    return dataclasses.replace(parts, notes=(*parts.notes, _NORMALIZED.format("the weights of each output are")))


def _of_length_1(weight: Array, axis: int) -> Array:
    """(N, K) or (K, N) -> the same, divided by the L2 norms along an axis (happynear's `inner_product_layer.cpp`)."""
    squares = np.square(weight.astype(np.float32)).sum(axis=axis, keepdims=True)
    normal: Array = weight / np.sqrt(squares + np.float32(1e-6))
    return normal


def _margin_inner_product(layer: Layer, context: Context) -> Parts:
    """W (N, K) without bias, its rows normalised to length 1 by the layer itself (SphereFace)."""
    (weight,) = take(layer, 1)
    parts = _dense(layer, context, matrix(weight), False, [], 1)
    note = "a margin loss layer: at test time it compares x with W's columns scaled to length 1"
    return dataclasses.replace(parts, notes=(*parts.notes, note))


def _dense(layer: Layer, context: Context, weight: Array, transposed: bool, biases: list[Array], axis: int) -> Parts:
    segments, shape = context.segments, bottom_shape(layer)
    warnings: list[str] = []
    notes: tuple[str, ...] = ()
    axis = _settled_axis(axis, shape)
    one_row = context.held.rank == 2 and (context.held.shape or ())[0] == 1
    problem = "it multiplies the samples of a batch, too" if axis == 0 and not one_row else None
    if axis == 0:
        warnings.append("it multiplies the samples of a batch, too: in Keras make one row of the whole batch before it")
    if segments is None:
        warnings.append(unknown_order(layer, "kernel is"))
    elif segments:
        notes = (f"kernel rows reordered {flattened_from(segments)}",)
    kernel = dense_kernel(weight, transposed, segments or ())
    for blob in biases:
        check_size("bias", blob, kernel.shape[1])
    arguments: list[tuple[str, object]] = [("units", kernel.shape[1])]
    if not biases:
        arguments.append(("use_bias", False))
    return Parts(
        KerasCall("Dense", tuple(arguments)),
        (kernel, *(vector("bias", blob) for blob in biases)),
        notes=notes,
        warnings=tuple(warnings),
        problem=problem,
    )


def _settled_axis(axis: int, shape: MaybeShape) -> int:
    if shape is None:
        return axis
    if not -len(shape) <= axis < len(shape):
        raise UnsupportedError(f"axis {axis} of a bottom of shape {shape}")
    return axis + len(shape) if axis < 0 else axis


def _embed(layer: Layer, _: Context) -> Parts:
    """W (in, N), [b (N)] (`embed_layer.cpp`) -> embeddings (in, N), the bias added to every row."""
    weight, *biases = take(layer, 1, 2)
    table = matrix(weight)
    notes: tuple[str, ...] = ()
    for blob in biases:
        check_size("bias", blob, table.shape[1])
        table = table.astype(np.float32) + blob.reshape(-1).astype(np.float32)
        notes = ("its bias is added to every row of the table, since Keras' Embedding has none",)
    call = KerasCall("Embedding", (("input_dim", table.shape[0]), ("output_dim", table.shape[1])))
    return Parts(call, (dense_kernel(table, True, (), "embeddings"),), notes=notes)


def _rows(site: Site) -> Value:
    """The axes from `axis` on as one, which is the last: Dense works on that."""
    value, axis = site.inputs[0], site.layer.param.inner_product_param.axis
    shape = value.held.shape
    if shape is None:
        return value
    axis = axis + len(shape) if axis < 0 else axis
    if axis < 1 or len(shape) == 2:
        return value
    if axis == 1:
        if value.held.layout == "axes" and len(shape) > 3 and None in shape[1:]:
            site.warn(
                "its rows are in Caffe's order of axes: maps of a size that is not known were permuted before it, and "
                "a model must flatten them in just that order"
            )
        return site.flattened(value)
    value = site.brought(value, "axes")
    if axis >= len(shape) - 1:
        return value
    known = product(shape[1:axis]) is not None
    sizes = (*shape[1:axis], None if known else product(shape[axis:]))
    edge = site.call("Reshape", value.edge, part="before", name="reshape", target_shape=target(sizes))
    return Value(edge, Held(value.held.layout, (*shape[:axis], product(shape[axis:]))))


def _products(site: Site) -> Sequence[Value]:
    """One product a sample; from axis 0 on one for the whole batch, which is made a row before it."""
    rule, shape = ROWS["InnerProduct"], site.inputs[0].held.shape
    axis = site.layer.param.inner_product_param.axis
    if shape is None or axis % len(shape) or site.inputs[0].held.layout == "unknown":
        return learned(site, rule)
    value = site.brought(site.inputs[0], "axes", part="glue")
    weight = matrix(take(site.layer, 1, 2)[0])
    features, units = weight.shape if site.layer.param.inner_product_param.transpose else weight.shape[::-1]
    row = site.call("ReshapeAll", value.edge, part="glue", name="row", shape=(1, features))
    (made,) = learned(dataclasses.replace(site, inputs=(Value(row, Held("axes", (1, features))),)), rule)
    edge = site.call("ReshapeAll", made.edge, part="glue", name="vector", shape=(units,))
    return (Value(edge, Held("axes", (units,))),)


def _distance(site: Site) -> Sequence[Value]:
    """Centers (N, K), [b (N)] (happynear's `inner_distance_layer.cpp`): distances in the place of products."""
    rule, settings = ROWS["InnerDistance"], optional(site.layer.param, "inner_distance_param")
    value = site.brought(site.inputs[0], "axes")
    shape, top = value.held.shape, site.top()
    distance = "" if settings is None else settings.distance_type or "L2"
    if settings is None or shape is None or top is None or value.held.layout == "unknown" or len(site.inputs) > 1:
        return as_stored(site, rule, "its parameter, or the axes of its bottom, are not known, or it learns no centers")
    if distance not in ("L1", "L2") or settings.transpose:
        return as_stored(site, rule, f"distance {distance}, or transposed centers, which its own layer does not know")
    axis, features = _settled_axis(settings.axis, shape), product(shape[_settled_axis(settings.axis, shape) :])
    centers, *biases = (weight.view for weight in stored("centers", "bias")(site.layer, Context()).weights)
    centers = matrix(centers)
    if axis < 1 or features not in (None, centers.shape[1]):
        raise UnsupportedError(f"centers of shape {centers.shape} for {features} features behind axis {axis}")
    if settings.normalize:
        centers = _of_length_1(centers, axis=1)
        site.note(_NORMALIZED.format("its centers are"))
    edge = value.edge
    if len(shape) > axis + 1:
        sizes = target((*shape[1:axis], centers.shape[1]))
        edge = site.call("Reshape", edge, part="before", name="reshape", target_shape=sizes)
    weights = [Weight("centers", centers, centers.shape)]
    for bias in biases:
        check_size("bias", bias, centers.shape[0])
        weights.append(vector("bias", bias))
    site.note("needs a layer of your own, or that of --format py: distances of x to each center")
    call = KerasCall("InnerDistance", (("distance", distance),))
    return (Value(site.add(call, (edge,), weights=weights), Held("axes", top)),)


_MARGIN = Rule("W", "Dense", "kernel", _margin_inner_product, arrive=_rows, held=caffes_held, along="inputs")
_KERNEL = "kernel, [bias]"

ROWS = {
    "Embed": Rule("W, [b]", "Embedding", "embeddings", _embed, arrive=caffes_axes, held=caffes_held),
    "InnerProduct": Rule(
        "W, [b]", "Dense", _KERNEL, _inner_product,
        arrive=_rows, held=caffes_held, build=_products, along="inputs",
    ),
    "CInnerProduct": Rule(
        "W, [b,] mask W, [mask b]", "Dense", _KERNEL, without_masks(_inner_product),
        arrive=_rows, held=caffes_held, along="inputs",
    ),
    "InnerDistance": Rule(
        "centers, [b]", "a layer of your own", "centers, [bias]", stored("centers", "bias"), build=_distance
    ),
    "LargeMarginInnerProduct": _MARGIN,
    "MarginInnerProduct": _MARGIN,
    "SqueezeInnerProduct": Rule(
        "W, [b,] mask W, [mask b,] statistics", "Dense", _KERNEL, without_masks(_inner_product, statistics=1),
        arrive=_rows, held=caffes_held, along="inputs",
    ),
}  # fmt: skip
