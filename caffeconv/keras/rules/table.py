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

WEIGHTED: Mapping[str, Rule] = {name: rule for name, rule in RULES.items() if rule.weights}
"""The types that have weights."""
