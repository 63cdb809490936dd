"""Losses and measures: scalars, whatever is known of the bottoms, and their optional second tops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.net.shapes.axes import canonical_axis
from caffeconv.net.shapes.row import NOT_KNOWN, MaybeShapes, Row

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]


def _loss(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """A loss: a scalar, ()."""
    return ((),)


def _loss_and_probabilities(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`SoftmaxWithLoss` and `InfogainLoss`: a scalar, and the probabilities like bottom 0."""
    return (), bottoms[0]


def _accuracy(param: LayerParameter, bottoms: MaybeShapes) -> MaybeShapes:
    """`Accuracy`: a scalar, and the accuracy of each class."""
    scores = bottoms[0]
    if scores is None:
        return (), None
    return (), (scores[canonical_axis(param.accuracy_param.axis, len(scores))],)


_LOSS = Row(1, _loss)
_WITH_PROBABILITIES = Row(1, _loss_and_probabilities)

ROWS = {
    "Accuracy":                Row(2, _accuracy),
    "ContrastiveLoss":         _LOSS,
    "EuclideanLoss":           _LOSS,
    "HingeLoss":               _LOSS,
    "InfogainLoss":            _WITH_PROBABILITIES,
    "MultinomialLogisticLoss": _LOSS,
    "SigmoidCrossEntropyLoss": _LOSS,
    "SoftmaxWithLoss":         _WITH_PROBABILITIES,
    "CTCLoss":                 _LOSS,
    "CenterLoss":              _LOSS,
    "CtcLoss":                 _LOSS,
    "EltwiseAccuracy":         NOT_KNOWN,
    "L1Loss":                  _LOSS,
    "MultiBoxLoss":            _LOSS,
    "ParseEvaluate":           NOT_KNOWN,
    "RedAccuracy":             NOT_KNOWN,
    "RedSoftmaxWithLoss":      NOT_KNOWN,
    "RegionLoss":              _LOSS,
    "SigmoidEuclideanLoss":    NOT_KNOWN,
    "SmoothL1Loss":            _LOSS,
    "SmoothL1LossOHEM":        _LOSS,
    "SoftmaxWithLoss5":        NOT_KNOWN,
    "SoftmaxWithLossOHEM":     _LOSS,
    "TripletLoss":             _LOSS,
    "WarpCTC":                 _LOSS,
    "Yolov3":                  _LOSS,
}  # fmt: skip
