"""Inner products and embeddings: output shapes and parameter blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.model import MAX_AXES, PartialShape, Shape
from caffeconv.net.shapes.axes import UNKNOWN, canonical_axis
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.row import NOT_KNOWN, MaybeShapes, Row, Shapes, of_known
from caffeconv.net.shapes.sizes import count_from, with_bias

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]


def _inner_product(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`InnerProduct`: the axes before `axis`, then num_output."""
    return (_product(bottoms[0], param.inner_product_param.axis, param.inner_product_param.num_output),)


def _margin_inner_product(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """SphereFace's `MarginInnerProduct`: like InnerProduct; the second top is the annealing factor, (1)."""
    settings = required(param, "margin_inner_product_param")
    axis = optional(settings, "axis")
    return _product(bottoms[0], 1 if axis is None else axis, required(settings, "num_output")), (1,)


def _inner_distance(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """happynear's `InnerDistance`: like InnerProduct."""
    settings = required(param, "inner_distance_param")
    return (_product(bottoms[0], settings.axis, required(settings, "num_output")),)


def _product(shape: Shape | None, axis: int, outputs: int) -> Shape | None:
    """An axis counted from the front tells how many there are, whatever the bottom has."""
    if shape is None:
        return (*(UNKNOWN,) * axis, outputs) if 0 <= axis < MAX_AXES else None
    return (*shape[: canonical_axis(axis, len(shape))], outputs)


def _embed(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Embed`: num_output values for each element of the bottom."""
    return ((*bottoms[0], param.embed_param.num_output),)


def _inner_product_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Weights (N, K), or (K, N) with `transpose`, bias (N). `inner_product_layer.cpp`.

    In happynear's fork a second bottom is the weights, and a third one the bias.
    """
    settings = param.inner_product_param
    if len(bottoms) > 1:
        return ((settings.num_output,),) if settings.bias_term and len(bottoms) == 2 else ()
    outputs, inputs = settings.num_output, count_from(bottoms[0], settings.axis)
    return with_bias((inputs, outputs) if settings.transpose else (outputs, inputs), outputs, settings.bias_term)


def _margin_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Weights (N, K), no bias, of SphereFace."""
    settings = required(param, "margin_inner_product_param")
    axis = optional(settings, "axis")
    return ((required(settings, "num_output"), count_from(bottoms[0], 1 if axis is None else axis)),)


def _embed_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Weights (input_dim, N), bias (N). `embed_layer.cpp`."""
    settings = param.embed_param
    return with_bias((settings.input_dim, settings.num_output), settings.num_output, settings.bias_term)


def _vector_of_kernel(param: LayerParameter, kernel: Shape) -> PartialShape | None:
    """(N, K), or (K, N) with `transpose` -> (batch, K)."""
    settings = param.inner_product_param
    if settings.axis != 1 or len(kernel) < 2:
        return None
    return None, kernel[-2] if settings.transpose else kernel[-1]


ROWS = {
    "Embed":                   Row(1, of_known(_embed), _embed_blobs),
    "InnerProduct":            Row(1, _inner_product, _inner_product_blobs, input=_vector_of_kernel),
    "CInnerProduct":           Row(1, _inner_product),
    "InnerDistance":           Row(1, _inner_distance),
    "LargeMarginInnerProduct": NOT_KNOWN,
    "MarginInnerProduct":      Row(1, _margin_inner_product, _margin_blobs),
    "SqueezeInnerProduct":     Row(1, _inner_product),
}  # fmt: skip
