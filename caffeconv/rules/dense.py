"""InnerProduct and its kin, Embed and PReLU."""

from __future__ import annotations

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.model import Array, KerasCall, Layer, Weight
from caffeconv.rules.arrays import broadcast_alpha, dense_kernel, vector
from caffeconv.rules.record import Context, Parts

__all__ = ["embed", "inner_product", "margin_inner_product", "prelu"]


def inner_product(layer: Layer, context: Context) -> Parts:
    """W (N, K), or (K, N) with `transpose`; [b (N)] (`inner_product_layer.cpp`) -> kernel (K, N), bias (N).

    Old files hold W as (1, 1, N, K).
    """
    param = layer.param.inner_product_param
    blobs = [blob.array for blob in layer.blobs]
    return _dense(layer, context, _matrix(blobs[0]), param.transpose, blobs[1:], param.axis)


def margin_inner_product(layer: Layer, context: Context) -> Parts:
    """W (N, K) without bias, its rows normalised to length 1 by the layer itself (SphereFace)."""
    parts = _dense(layer, context, _matrix(layer.blobs[0].array), False, [], 1)
    note = "a margin loss layer: at test time it compares x with W's columns scaled to length 1"
    return Parts(parts.keras, parts.weights, parts.before, notes=(*parts.notes, note), warnings=parts.warnings)


def _matrix(blob: Array) -> Array:
    if blob.ndim < 2:
        raise UnsupportedError(f"blob 0 has shape {blob.shape}, expected two axes")
    return blob.reshape(blob.shape[-2:]) if blob.ndim > 2 and blob.size == blob.shape[-2] * blob.shape[-1] else blob


def _dense(
    layer: Layer, context: Context, matrix: Array, transposed: bool, biases: list[Array], axis: int
) -> Parts:
    segments = context.segments
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if segments is None:
        warnings = (
            "the order of its inputs cannot be known, the kernel is left in Caffe's (channels first): "
            f"give --input-shape, or --flatten-shape {layer.name}=C,H,W if it stands behind flattened feature maps",
        )
    elif segments:
        shapes = " + ".join("×".join(map(str, segment)) for segment in segments)
        notes = (f"kernel rows reordered from channels-first ({shapes}) to channels-last, as Keras' Flatten gives them",)
    kernel = dense_kernel(matrix, transposed, segments or ())
    weights = (kernel, *(vector("bias", blob) for blob in biases[:1]))
    arguments: list[tuple[str, object]] = [("units", kernel.shape[1])]
    if not biases:
        arguments.append(("use_bias", False))
    return Parts(
        KerasCall("Dense", tuple(arguments)), weights, _flatten_before(layer, axis), notes=notes, warnings=warnings
    )


def _flatten_before(layer: Layer, axis: int) -> tuple[KerasCall, ...]:
    """Dense works on the last axis, InnerProduct on all axes from `axis` on."""
    shape = layer.bottom_shapes[0] if layer.bottom_shapes else None
    if shape is None:
        return ()
    axis = axis + len(shape) if axis < 0 else axis
    if axis == len(shape) - 1:
        return ()
    if axis == 1:
        return (KerasCall("Flatten"),)
    return (KerasCall("Reshape", (("target_shape", (*shape[1:axis], -1)),)),)


def embed(layer: Layer, _: Context) -> Parts:
    """W (in, N), [b (N)] (`embed_layer.cpp`) -> embeddings (in, N), the bias added to every row."""
    blobs = [blob.array for blob in layer.blobs]
    table = _matrix(blobs[0])
    notes: tuple[str, ...] = ()
    if len(blobs) > 1:
        table = table.astype(np.float32) + blobs[1].reshape(-1).astype(np.float32)
        notes = ("its bias is added to every row of the table, since Keras' Embedding has none",)
    call = KerasCall("Embedding", (("input_dim", table.shape[0]), ("output_dim", table.shape[1])))
    return Parts(call, (Weight("embeddings", table, table.shape),), notes=notes)


def prelu(layer: Layer, _: Context) -> Parts:
    """(C), or () when shared (`prelu_layer.cpp`) -> alpha (1, …, C) or (1, …, 1) with the other axes shared."""
    blob = layer.blobs[0].array
    shape = layer.bottom_shapes[0] if layer.bottom_shapes else None
    rank = 3 if shape is None else max(len(shape) - 1, 1)
    shared = layer.param.prelu_param.channel_shared
    axes = list(range(1, rank + 1 if shared else rank))
    warnings: tuple[str, ...] = ()
    if shape is None:
        warnings = ("the number of its axes cannot be known; alpha is shaped for an input (N, H, W, C)",)
    return Parts(
        KerasCall("PReLU", (("shared_axes", axes),) if axes else ()),
        (broadcast_alpha(blob, rank),),
        warnings=warnings,
    )
