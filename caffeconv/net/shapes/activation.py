"""Activations, value by value or along one axis: output shapes, and the slopes of PReLU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.net.shapes.axes import canonical_axis
from caffeconv.net.shapes.row import NOT_KNOWN, SAME_SHAPE, MaybeShapes, Row, Shapes, of_known
from caffeconv.net.shapes.sizes import size_of

if TYPE_CHECKING:
    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]


def _prelu(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`PReLU`: (N, C, …) as it is; Caffe stops at four axes, forks do not."""
    canonical_axis(1, len(bottoms[0]))
    return bottoms[:1]


def _softmax(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`Softmax`: the bottom's shape."""
    canonical_axis(param.softmax_param.axis, len(bottoms[0]))
    return bottoms[:1]


def _prelu_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """Slopes (C), or one slope () if `channel_shared`. `prelu_layer.cpp`."""
    return ((),) if param.prelu_param.channel_shared else ((size_of(bottoms[0], 1),),)


ROWS = {
    "AbsVal":         SAME_SHAPE,
    "BNLL":           SAME_SHAPE,
    "Clip":           SAME_SHAPE,
    "Dropout":        SAME_SHAPE,
    "ELU":            SAME_SHAPE,
    "Exp":            SAME_SHAPE,
    "Log":            SAME_SHAPE,
    "PReLU":          Row(1, of_known(_prelu), _prelu_blobs),
    "Power":          SAME_SHAPE,
    "ReLU":           SAME_SHAPE,
    "Sigmoid":        SAME_SHAPE,
    "Softmax":        Row(1, of_known(_softmax)),
    "Swish":          SAME_SHAPE,
    "TanH":           SAME_SHAPE,
    "Threshold":      SAME_SHAPE,
    "DropoutChannel": SAME_SHAPE,
    "FixedNeuron":    SAME_SHAPE,
    "HardSigmoid":    SAME_SHAPE,
    "HardSwish":      SAME_SHAPE,
    "Insanity":       SAME_SHAPE,
    "Mish":           SAME_SHAPE,
    "Quantization":   SAME_SHAPE,
    "RReLU":          SAME_SHAPE,
    "ReLU6":          SAME_SHAPE,
    "SELU":           NOT_KNOWN,
}  # fmt: skip
