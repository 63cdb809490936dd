"""Losses and measures, of which Keras computes none by a layer; a center loss learns centers."""

from __future__ import annotations

from caffeconv.keras.rules.record import Rule
from caffeconv.keras.rules.wrapping import stored

__all__ = ["ROWS"]


ROWS = {
    "Accuracy": Rule(),
    "ContrastiveLoss": Rule(),
    "EuclideanLoss": Rule(),
    "HingeLoss": Rule(),
    "InfogainLoss": Rule(),
    "MultinomialLogisticLoss": Rule(),
    "SigmoidCrossEntropyLoss": Rule(),
    "SoftmaxWithLoss": Rule(),
    "CTCLoss": Rule(),
    "CenterLoss": Rule("centers", "none, as stored", "centers", stored("centers")),
    "CtcLoss": Rule(),
    "EltwiseAccuracy": Rule(),
    "L1Loss": Rule(),
    "MultiBoxLoss": Rule(),
    "ParseEvaluate": Rule(),
    "RedAccuracy": Rule(),
    "RedSoftmaxWithLoss": Rule(),
    "RegionLoss": Rule(),
    "SigmoidEuclideanLoss": Rule(),
    "SmoothL1Loss": Rule(),
    "SmoothL1LossOHEM": Rule(),
    "SoftmaxWithLoss5": Rule(),
    "SoftmaxWithLossOHEM": Rule(),
    "TripletLoss": Rule(),
    "WarpCTC": Rule(),
    "Yolov3": Rule(),
}  # fmt: skip
