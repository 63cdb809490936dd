"""THE table of rules: for every layer type of Caffe what it becomes in Keras, as far as that is known."""

from __future__ import annotations

from collections.abc import Mapping

from caffeconv.catalogue import merged
from caffeconv.keras.rules import (
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
from caffeconv.keras.rules.record import Rule

__all__ = ["RULES", "WEIGHTED"]

RULES: Mapping[str, Rule] = merged(
    activation.ROWS, convolution.ROWS, custom.ROWS, data.ROWS, detection.ROWS, elementwise.ROWS, inner_product.ROWS,
    losses.ROWS, normalization.ROWS, pooling.ROWS, recurrent.ROWS, reduction.ROWS, reshaping.ROWS, slicing.ROWS,
    upsampling.ROWS,
)  # fmt: skip

WEIGHTED: Mapping[str, Rule] = {name: rule for name, rule in RULES.items() if rule.weights}
"""The types that have weights."""
