"""Losses and measures, which a model that only computes leaves out; a center loss learns centers."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.keras.building import Site
from caffeconv.keras.graph import Value
from caffeconv.keras.rules.record import Rule
from caffeconv.keras.rules.wrapping import stored

__all__ = ["ROWS"]


def _left_out(site: Site) -> Sequence[Value]:
    """Nothing is computed of it."""
    return ()


_LOSS = Rule(build=_left_out)

ROWS = {
    "Accuracy": _LOSS,
    "ContrastiveLoss": _LOSS,
    "EuclideanLoss": _LOSS,
    "HingeLoss": _LOSS,
    "InfogainLoss": _LOSS,
    "MultinomialLogisticLoss": _LOSS,
    "SigmoidCrossEntropyLoss": _LOSS,
    "SoftmaxWithLoss": _LOSS,
    "CTCLoss": _LOSS,
    "CenterLoss": Rule("centers", "none, as stored", "centers", stored("centers")),
    "CtcLoss": _LOSS,
    "EltwiseAccuracy": _LOSS,
    "L1Loss": _LOSS,
    "MultiBoxLoss": _LOSS,
    "ParseEvaluate": _LOSS,
    "RedAccuracy": _LOSS,
    "RedSoftmaxWithLoss": _LOSS,
    "RegionLoss": _LOSS,
    "SigmoidEuclideanLoss": _LOSS,
    "SmoothL1Loss": _LOSS,
    "SmoothL1LossOHEM": _LOSS,
    "SoftmaxWithLoss5": _LOSS,
    "SoftmaxWithLossOHEM": _LOSS,
    "TripletLoss": _LOSS,
    "WarpCTC": _LOSS,
    "Yolov3": _LOSS,
}  # fmt: skip
