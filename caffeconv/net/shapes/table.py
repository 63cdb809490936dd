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
    activation=activation.ROWS,
    convolution=convolution.ROWS,
    custom=custom.ROWS,
    data=data.ROWS,
    detection=detection.ROWS,
    elementwise=elementwise.ROWS,
    inner_product=inner_product.ROWS,
    losses=losses.ROWS,
    normalization=normalization.ROWS,
    pooling=pooling.ROWS,
    recurrent=recurrent.ROWS,
    reduction=reduction.ROWS,
    reshaping=reshaping.ROWS,
    slicing=slicing.ROWS,
    upsampling=upsampling.ROWS,
)
