"""THE table of shapes: for every layer type the shapes of its tops and parameter blobs, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping

from caffeconv.catalogue import merged
from caffeconv.net.shapes import (
    activation,
    convolution,
    custom,
    data,
    detection,
    elementwise,
    inner_product,
    losses,
    normalization,
    pooling,
    recurrent,
    reduction,
    reshaping,
    slicing,
    upsampling,
)
from caffeconv.net.shapes.row import Row

__all__ = ["TABLE"]

TABLE: Mapping[str, Row] = merged(
    activation.ROWS, convolution.ROWS, custom.ROWS, data.ROWS, detection.ROWS, elementwise.ROWS, inner_product.ROWS,
    losses.ROWS, normalization.ROWS, pooling.ROWS, recurrent.ROWS, reduction.ROWS, reshaping.ROWS, slicing.ROWS,
    upsampling.ROWS,
)  # fmt: skip
