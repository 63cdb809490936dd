"""THE table of rules: for every layer type of Caffe what it becomes in Keras, as far as that is known."""

from __future__ import annotations

from collections.abc import Mapping

from caffeconv.catalogue import merged
from caffeconv.keras.rules.activation import ROWS as ACTIVATION
from caffeconv.keras.rules.convolution import ROWS as CONVOLUTION
from caffeconv.keras.rules.custom import ROWS as CUSTOM
from caffeconv.keras.rules.data import ROWS as DATA
from caffeconv.keras.rules.detection import ROWS as DETECTION
from caffeconv.keras.rules.elementwise import ROWS as ELEMENTWISE
from caffeconv.keras.rules.inner_product import ROWS as INNER_PRODUCT
from caffeconv.keras.rules.losses import ROWS as LOSSES
from caffeconv.keras.rules.normalization import ROWS as NORMALIZATION
from caffeconv.keras.rules.pooling import ROWS as POOLING
from caffeconv.keras.rules.record import Rule
from caffeconv.keras.rules.recurrent import ROWS as RECURRENT
from caffeconv.keras.rules.reduction import ROWS as REDUCTION
from caffeconv.keras.rules.reshaping import ROWS as RESHAPING
from caffeconv.keras.rules.slicing import ROWS as SLICING
from caffeconv.keras.rules.upsampling import ROWS as UPSAMPLING

__all__ = ["RULES", "WEIGHTED"]

RULES: Mapping[str, Rule] = merged(
    ACTIVATION, CONVOLUTION, CUSTOM, DATA, DETECTION, ELEMENTWISE, INNER_PRODUCT,
    LOSSES, NORMALIZATION, POOLING, RECURRENT, REDUCTION, RESHAPING, SLICING,
    UPSAMPLING,
)  # fmt: skip

WEIGHTED: Mapping[str, Rule] = {name: rule for name, rule in RULES.items() if rule.weights}
"""The types that have weights."""
