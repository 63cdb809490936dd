"""THE table of output shapes: a row for each layer type whose tops are known, at least in part.

A type that is not here is unknown, and so are its tops. A new type takes one row and, at most, one function.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

from caffeconv.net.shapes import dense, detection, elementwise, losses, rearranging, sources, spatial, upsampling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from caffe_proto.caffe_pb2 import LayerParameter
    from caffeconv.model import MaybeShape, Shape

__all__ = ["TABLE", "PartialRow", "Row"]

Rule: TypeAlias = "Callable[[LayerParameter, tuple[Shape, ...]], tuple[MaybeShape, ...]]"
PartialRule: TypeAlias = "Callable[[LayerParameter, tuple[MaybeShape, ...]], tuple[MaybeShape, ...]]"


@dataclasses.dataclass(frozen=True)
class Row:
    """A type whose tops follow from its bottoms: it has at least so many, and all of them must be known.

    The rule may give more shapes than the layer has tops (they are optional) or fewer (the rest is unknown), and
    raises ValueError where the net contradicts itself. `unknown` says why tops may be unknown all the same.
    """

    bottoms: int
    rule: Rule
    unknown: str = "the shape of this top is not known"


@dataclasses.dataclass(frozen=True)
class PartialRow:
    """A type some of whose tops are known whatever is known of its bottoms."""

    bottoms: int
    rule: PartialRule
    unknown: str = "the shape of this top is not known"


def _nothing(param: LayerParameter, bottoms: tuple[MaybeShape, ...]) -> tuple[MaybeShape, ...]:
    """No top at all, or none that can be known."""
    return ()


_SAME = Row(1, elementwise.first_bottom)
_LOSS = PartialRow(1, losses.loss)
_DATA = PartialRow(0, _nothing, "the shape of its tops stands in the data")

TABLE: Mapping[str, Row | PartialRow] = {
    # Caffe's own types.
    "AbsVal":                  _SAME,
    "Accuracy":                PartialRow(2, losses.accuracy),
    "ArgMax":                  Row(1, rearranging.arg_max),
    "BNLL":                    _SAME,
    "BatchNorm":               Row(1, elementwise.batch_norm),
    "BatchReindex":            Row(2, rearranging.batch_reindex),
    "Bias":                    Row(1, elementwise.bias),
    "Clip":                    _SAME,
    "Concat":                  Row(1, rearranging.concat),
    "ContrastiveLoss":         _LOSS,
    "Convolution":             Row(1, spatial.convolution),
    "Crop":                    Row(2, rearranging.crop),
    "Data":                    PartialRow(0, sources.data, "the shape of its images stands in the database"),
    "Deconvolution":           Row(1, spatial.deconvolution),
    "Dropout":                 _SAME,
    "DummyData":               PartialRow(0, sources.dummy_data),
    "ELU":                     _SAME,
    "Eltwise":                 Row(1, elementwise.eltwise),
    "Embed":                   Row(1, dense.embed),
    "EuclideanLoss":           _LOSS,
    "Exp":                     _SAME,
    "Filter":                  Row(2, rearranging.filter_items),
    "Flatten":                 Row(1, rearranging.flatten),
    "HDF5Data":                _DATA,
    "HDF5Output":              PartialRow(0, _nothing),
    "HingeLoss":               _LOSS,
    "Im2col":                  Row(1, spatial.im2col),
    "ImageData":               PartialRow(0, sources.image_data, "its images are neither cropped nor resized"),
    "InfogainLoss":            PartialRow(1, losses.loss_and_probabilities),
    "InnerProduct":            Row(1, dense.inner_product),
    "Input":                   PartialRow(0, sources.input_blobs),
    "LRN":                     Row(1, elementwise.lrn),
    "LSTM":                    Row(2, dense.lstm),
    "LSTMUnit":                Row(2, dense.lstm_unit),
    "Log":                     _SAME,
    "MVN":                     Row(1, elementwise.mvn),
    "MemoryData":              PartialRow(0, sources.memory_data),
    "MultinomialLogisticLoss": _LOSS,
    "PReLU":                   Row(1, elementwise.prelu),
    "Parameter":               PartialRow(0, sources.parameter),
    "Pooling":                 Row(1, spatial.pooling),
    "Power":                   _SAME,
    "Python":                  PartialRow(0, _nothing, "what a Python layer makes is written in its class"),
    "RNN":                     Row(2, dense.rnn),
    "ReLU":                    _SAME,
    "Reduction":               Row(1, rearranging.reduction),
    "Reshape":                 Row(1, rearranging.reshape),
    "SPP":                     Row(1, spatial.spatial_pyramid_pooling),
    "Scale":                   Row(1, elementwise.scale),
    "Sigmoid":                 _SAME,
    "SigmoidCrossEntropyLoss": _LOSS,
    "Silence":                 PartialRow(0, _nothing),
    "Slice":                   Row(1, rearranging.slice_axis),
    "Softmax":                 Row(1, elementwise.softmax),
    "SoftmaxWithLoss":         PartialRow(1, losses.loss_and_probabilities),
    "Split":                   Row(1, elementwise.split),
    "Swish":                   _SAME,
    "TanH":                    _SAME,
    "Threshold":               _SAME,
    "Tile":                    Row(1, rearranging.tile),
    "WindowData":              PartialRow(0, sources.window_data, "the number of channels stands in the window file"),
    # Types of forks.
    "AnnotatedData":           _DATA,
    "Axpy":                    Row(3, elementwise.axpy),
    "BN":                      _SAME,
    "CConvolution":            Row(1, spatial.convolution),
    "CenterLoss":              _LOSS,
    "CInnerProduct":           Row(1, dense.inner_product),
    "ContinuationIndicator":   PartialRow(0, sources.continuation_indicator),
    "Convolution3D":           Row(1, spatial.convolution_3d),
    "ConvolutionBNFixed":      Row(1, spatial.convolution),
    "ConvolutionDepthwise":    Row(1, spatial.depthwise_convolution),
    "ConvolutionRistretto":    Row(1, spatial.convolution),
    "CropCenter":              Row(1, rearranging.crop_center),
    "CTCLoss":                 _LOSS,
    "CtcLoss":                 _LOSS,
    "DeconvolutionRistretto":  Row(1, spatial.deconvolution),
    "DenseImageData":          _DATA,
    "DepthwiseConvolution":    Row(1, spatial.depthwise_convolution),
    "DetectionOutput":         PartialRow(3, detection.detection_output),
    "DropoutChannel":          _SAME,
    "FcRistretto":             Row(1, dense.inner_product),
    "FixedNeuron":             _SAME,
    "HardSigmoid":             _SAME,
    "HardSwish":               _SAME,
    "ImageSegData":            _DATA,
    "Insanity":                _SAME,
    "Interp":                  Row(1, upsampling.interpolation),
    "L1Loss":                  _LOSS,
    "Local":                   Row(1, spatial.local),
    "Lstm":                    Row(1, dense.lstm_of_sequences),
    "MarginInnerProduct":      Row(1, dense.margin_inner_product),
    "Mish":                    _SAME,
    "Mul":                     Row(1, elementwise.multiply),
    "MultiBoxLoss":            _LOSS,
    "Normalize":               _SAME,
    "Permute":                 Row(1, rearranging.permute),
    "Pooling3D":               Row(1, spatial.pooling_3d),
    "PriorBox":                Row(1, detection.prior_box),
    "PriorBoxClustered":       Row(1, detection.prior_box_clustered),
    "PSROIPooling":            Row(2, detection.position_sensitive_roi_pooling),
    "RegionLoss":              _LOSS,
    "ReLU6":                   _SAME,
    "Reorg":                   Row(1, rearranging.reorganize),
    "Reverse":                 _SAME,
    "ROIAlign":                Row(2, detection.roi_align),
    "ROIPooling":              Row(2, detection.roi_pooling),
    "RReLU":                   _SAME,
    "ShuffleChannel":          _SAME,
    "SmoothL1Loss":            _LOSS,
    "SmoothL1LossOHEM":        _LOSS,
    "SoftmaxWithLossOHEM":     _LOSS,
    "SqueezeConvolution":      Row(1, spatial.convolution),
    "SqueezeInnerProduct":     Row(1, dense.inner_product),
    "SyncBN":                  _SAME,
    "Transpose":               Row(1, rearranging.transpose),
    "TripletLoss":             _LOSS,
    "Unpooling":               Row(1, upsampling.unpooling),
    "Upsample":                Row(1, upsampling.upsample),
    "VideoData":               _DATA,
    "WarpCTC":                 _LOSS,
    "YoloDetectionOutput":     PartialRow(1, _nothing, "the number of detections depends on the images"),
    "Yolov3":                  _LOSS,
    "Yolov3DetectionOutput":   PartialRow(1, _nothing, "the number of detections depends on the images"),
}  # fmt: skip
