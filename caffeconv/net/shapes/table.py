"""THE table of shapes: for every layer type the shapes of its tops and parameter blobs, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping

from caffeconv.catalogue import merged
from caffeconv.net.shapes.activation import ROWS as ACTIVATION
from caffeconv.net.shapes.convolution import ROWS as CONVOLUTION
from caffeconv.net.shapes.custom import ROWS as CUSTOM
from caffeconv.net.shapes.data import ROWS as DATA
from caffeconv.net.shapes.detection import ROWS as DETECTION
from caffeconv.net.shapes.elementwise import ROWS as ELEMENTWISE
from caffeconv.net.shapes.inner_product import ROWS as INNER_PRODUCT
from caffeconv.net.shapes.losses import ROWS as LOSSES
from caffeconv.net.shapes.normalization import ROWS as NORMALIZATION
from caffeconv.net.shapes.pooling import ROWS as POOLING
from caffeconv.net.shapes.recurrent import ROWS as RECURRENT
from caffeconv.net.shapes.reduction import ROWS as REDUCTION
from caffeconv.net.shapes.reshaping import ROWS as RESHAPING
from caffeconv.net.shapes.row import Row
from caffeconv.net.shapes.slicing import ROWS as SLICING
from caffeconv.net.shapes.upsampling import ROWS as UPSAMPLING

__all__ = ["TABLE"]

TABLE: Mapping[str, Row] = merged(
    ACTIVATION, CONVOLUTION, CUSTOM, DATA, DETECTION, ELEMENTWISE, INNER_PRODUCT,
    LOSSES, NORMALIZATION, POOLING, RECURRENT, REDUCTION, RESHAPING, SLICING,
    UPSAMPLING,
)  # fmt: skip
