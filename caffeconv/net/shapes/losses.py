"""Output shapes of losses and measures: scalars, whatever is known of the bottoms, and their optional second tops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.model import MaybeShape
from caffeconv.net.shapes.axes import canonical_axis

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["accuracy", "loss", "loss_and_probabilities"]

Shapes = tuple[MaybeShape, ...]


def loss(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """A loss: a scalar, ()."""
    return ((),)


def loss_and_probabilities(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`SoftmaxWithLoss` and `InfogainLoss`: a scalar, and the probabilities like bottom 0."""
    return (), bottoms[0]


def accuracy(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Accuracy`: a scalar, and the accuracy of each class."""
    scores = bottoms[0]
    if scores is None:
        return (), None
    return (), (scores[canonical_axis(param.accuracy_param.axis, len(scores))],)
