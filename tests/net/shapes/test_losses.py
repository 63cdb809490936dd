"""Losses and measures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.net.shapes import infer_top_shapes
from tests.support.shape_cases import LABELS, MATRIX, Case, shape_tests

if TYPE_CHECKING:
    from caffeconv.model import MaybeShape

CASES = {
    # Caffe's own, compared with a running Caffe
    "softmax_loss": Case("SoftmaxWithLoss", "", (MATRIX, LABELS), ((),)),
    "euclidean": Case("EuclideanLoss", "", (MATRIX, MATRIX), ((),)),
    "hinge": Case("HingeLoss", "", (MATRIX, LABELS), ((),)),
    "logistic": Case("MultinomialLogisticLoss", "", (MATRIX, LABELS), ((),)),
    "sigmoid_loss": Case("SigmoidCrossEntropyLoss", "", (MATRIX, MATRIX), ((),)),
    "contrastive": Case("ContrastiveLoss", "", (MATRIX, MATRIX, LABELS), ((),)),
    "infogain": Case("InfogainLoss", "loss_weight: 1 loss_weight: 0", (MATRIX, LABELS, (1, 1, 3, 3)), ((), MATRIX)),
    "accuracy": Case("Accuracy", "", (MATRIX, LABELS), ((),)),
    "accuracy_classes": Case("Accuracy", "accuracy_param { axis: -2 }", ((5, 7, 2), (5, 2)), ((), (7,))),
    # of forks, by their sources
    **{
        name: Case(name, "", (MATRIX, LABELS), ((),))
        for name in (
            "CTCLoss", "CtcLoss", "L1Loss", "MultiBoxLoss", "RegionLoss", "SmoothL1Loss", "SoftmaxWithLossOHEM",
            "TripletLoss", "WarpCTC", "Yolov3",
        )
    },
    "CenterLoss": Case("CenterLoss", "", (MATRIX, LABELS), ((),), None),
    "ohem": Case("SmoothL1LossOHEM", "", (MATRIX, MATRIX), ((), None)),
    # Caffe 1.0 documents the second top, but stumbles over its loss weight.
    "softmax_loss_probabilities": Case("SoftmaxWithLoss", "", (MATRIX, LABELS), ((), MATRIX)),
}  # fmt: skip

TestShapes = shape_tests(CASES)


@pytest.mark.parametrize(
    ("type_name", "tops"),
    [
        pytest.param("SoftmaxWithLoss", ((), None), id="loss"),
        pytest.param("Accuracy", ((), None), id="accuracy"),
        pytest.param("EuclideanLoss", ((),), id="euclidean"),
    ],
)
def test_scalars_are_known_without_bottoms(type_name: str, tops: tuple[MaybeShape, ...]) -> None:
    param = LayerParameter(type=type_name, bottom=["x", "y"], top=["a", "b"][: len(tops)])
    assert infer_top_shapes(param, (None, None))[:2] == (tops, None)
