"""The one list of layer types: their names, the family whose files they are found in, and how Caffe's files spell them.

Plain data. A family has the same file name in every wing, and each wing's table has a row for every type in it
(`merged`); what that wing makes of a type stands in its row. To add a layer type, begin here.

Sources: `src/caffe/proto/caffe.proto` and `src/caffe/util/upgrade_proto.cpp` of Caffe 1.0; the schemas of the forks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias, TypeVar

__all__ = ["FAMILIES", "LAYER_TYPES", "LayerType", "merged"]

_Row = TypeVar("_Row")
_Blobs: TypeAlias = Literal["none", "known", "dialects", "some", "uncertain"]


class LayerType(NamedTuple):
    """One layer type, under the name that it has in today's files.

    `parameters` are the fields of LayerParameter that a binary file holds for it besides those of all layers.
    `blobs`: it has no arrays; `known` ones; known ones that forks store otherwise under its name (`dialects`); `some`,
    in a layout that is not known before they are seen; or nobody can tell whether it has any (`uncertain`).
    `v0` and `v1` are its words in Caffe's files of 2013 and 2014, `fork_v1` those that forks added to the latter.
    `automatic_top`: Caffe gives it a top where the net has none. `like` names the type that it is under another name.
    """

    name: str
    parameters: str = ""
    blobs: _Blobs = "none"
    v1: str = ""
    v0: str = ""
    fork_v1: tuple[str, ...] = ()
    automatic_top: bool = False
    fork: bool = False
    like: str = ""
    family: str = ""


def _own(
    name: str,
    parameters: str = "",
    blobs: _Blobs = "none",
    v1: str = "",
    v0: str = "",
    fork_v1: tuple[str, ...] = (),
    automatic_top: bool = False,
) -> LayerType:
    """A type of Caffe 1.0."""
    return LayerType(name, parameters, blobs, v1, v0, fork_v1, automatic_top)


def _fork(
    name: str,
    parameters: str = "",
    blobs: _Blobs = "none",
    v1: tuple[str, ...] = (),
    like: str = "",
) -> LayerType:
    """A type that only forks have."""
    return LayerType(name, parameters, blobs, fork_v1=v1, fork=True, like=like)


_IMAGES = "transform_param"

_BY_FAMILY = {
    "activation": (
        _own("AbsVal", v1="ABSVAL"),
        _own("BNLL", v1="BNLL", v0="bnll"),
        _own("Clip", "clip_param", fork_v1=("CLIP",)),
        _own("Dropout", "dropout_param", v1="DROPOUT", v0="dropout"),
        _own("ELU", "elu_param", fork_v1=("ELU",)),
        _own("Exp", "exp_param", v1="EXP"),
        _own("Log", "log_param", fork_v1=("LOG",)),
        _own("PReLU", "prelu_param", "known", fork_v1=("PRELU",)),
        _own("Power", "power_param", v1="POWER"),
        _own("ReLU", "relu_param", v1="RELU", v0="relu"),
        _own("Sigmoid", "sigmoid_param", v1="SIGMOID", v0="sigmoid"),
        _own("Softmax", "softmax_param", v1="SOFTMAX", v0="softmax"),
        _own("Swish", "swish_param"),
        _own("TanH", "tanh_param", v1="TANH", v0="tanh"),
        _own("Threshold", "threshold_param", v1="THRESHOLD"),
        _fork("DropoutChannel", v1=("DROPOUT_CHANNEL",)),
        _fork("FixedNeuron", blobs="uncertain"),
        _fork("HardSigmoid"),
        _fork("HardSwish"),
        _fork("Insanity", v1=("INSANITY",)),
        _fork("Mish"),
        _fork("Quantization", blobs="uncertain"),
        _fork("RReLU"),
        _fork("ReLU6", v1=("RELU6",)),
        _fork("SELU", blobs="uncertain"),
    ),
    "convolution": (
        _own("Convolution", "convolution_param", "known", v1="CONVOLUTION", v0="conv"),
        _own("Deconvolution", "convolution_param", "known", v1="DECONVOLUTION"),
        _own("Im2col", "convolution_param", v1="IM2COL", v0="im2col"),
        _fork("CConvolution", "convolution_param", "some"),
        _fork("Convolution3D", blobs="known", v1=("CONVOLUTION3D",)),
        _fork("ConvolutionBNFixed", "convolution_param", "some"),
        _fork("ConvolutionDepthwise", "convolution_param", "known"),
        _fork("ConvolutionRistretto", like="Convolution"),
        _fork("Deconvolution3D", blobs="some", v1=("DECONVOLUTION3D",)),
        _fork("DeconvolutionRistretto", like="Deconvolution"),
        _fork("DepthwiseConvolution", v1=("DEPTHWISECONVOLUTION",), like="ConvolutionDepthwise"),
        _fork("Local", blobs="some", v1=("LOCAL",)),
        _fork("SqueezeConvolution", "convolution_param", "some"),
    ),
    "custom": (
        _own("Python", "python_param", "uncertain", fork_v1=("PYTHON",)),
        _fork("MultiStageMeanfield", blobs="some", v1=("MULTI_STAGE_MEANFIELD",)),
    ),
    "data": (
        _own("Data", f"data_param {_IMAGES}", v1="DATA", v0="data"),
        _own("DummyData", "dummy_data_param", v1="DUMMY_DATA"),
        _own("HDF5Data", "hdf5_data_param", v1="HDF5_DATA", v0="hdf5_data"),
        _own("HDF5Output", "hdf5_output_param", v1="HDF5_OUTPUT", v0="hdf5_output"),
        _own("ImageData", f"image_data_param {_IMAGES}", v1="IMAGE_DATA", v0="images"),
        _own("Input", "input_param", fork_v1=("INPUT",)),
        _own("MemoryData", f"memory_data_param {_IMAGES}", v1="MEMORY_DATA"),
        _own("Parameter", "parameter_param", "known"),
        _own("Silence", v1="SILENCE"),
        _own("WindowData", f"window_data_param {_IMAGES}", v1="WINDOW_DATA", v0="window_data"),
        _fork("AnnotatedData", f"data_param {_IMAGES}"),
        _fork("DenseImageData", v1=("DENSE_IMAGE_DATA",)),
        _fork("ImageSegData", v1=("IMAGE_SEG_DATA",)),
        _fork("VideoData", v1=("VIDEO_DATA",)),
    ),
    "detection": (
        _fork("DetectionOutput", v1=("DETECTIONOUTPUT",)),
        _fork("PSROIPooling"),
        _fork("PriorBox", v1=("PRIORBOX",)),
        _fork("PriorBoxClustered"),
        _fork("ROIAlign"),
        _fork("ROIPooling", v1=("ROIPOOLING", "ROI_POOLING")),
        _fork("YoloDetectionOutput"),
        _fork("Yolov3DetectionOutput"),
    ),
    "elementwise": (
        _own("Bias", "bias_param", "known", fork_v1=("BIAS",)),
        _own("Eltwise", "eltwise_param", v1="ELTWISE"),
        _own("Scale", "scale_param", "known", fork_v1=("SCALE",)),
        _fork("Axpy"),
        _fork("ChannelScale", blobs="uncertain"),
        _fork("EltwiseAffine", blobs="some", v1=("ELTWISE_AFFINE",)),
        _fork("Mul", blobs="uncertain"),
    ),
    "inner_product": (
        _own("Embed", "embed_param", "known", fork_v1=("EMBED",)),
        _own("InnerProduct", "inner_product_param", "known", v1="INNER_PRODUCT", v0="innerproduct"),
        _fork("CInnerProduct", "inner_product_param", "some"),
        _fork("FcRistretto", like="InnerProduct"),
        _fork("InnerDistance", blobs="some"),
        _fork("LargeMarginInnerProduct", blobs="some"),
        _fork("MarginInnerProduct", blobs="known"),
        _fork("SqueezeInnerProduct", "inner_product_param", "some"),
    ),
    "losses": (
        _own("Accuracy", "accuracy_param", v1="ACCURACY", v0="accuracy"),
        _own("ContrastiveLoss", "contrastive_loss_param loss_param", v1="CONTRASTIVE_LOSS", automatic_top=True),
        _own("EuclideanLoss", "loss_param", v1="EUCLIDEAN_LOSS", v0="euclidean_loss", automatic_top=True),
        _own("HingeLoss", "hinge_loss_param loss_param", v1="HINGE_LOSS", automatic_top=True),
        _own(
            "InfogainLoss", "infogain_loss_param loss_param softmax_param",
            v1="INFOGAIN_LOSS", v0="infogain_loss", automatic_top=True,
        ),
        _own(
            "MultinomialLogisticLoss", "loss_param",
            v1="MULTINOMIAL_LOGISTIC_LOSS", v0="multinomial_logistic_loss", automatic_top=True,
        ),
        _own("SigmoidCrossEntropyLoss", "loss_param", v1="SIGMOID_CROSS_ENTROPY_LOSS", automatic_top=True),
        _own("SoftmaxWithLoss", "loss_param softmax_param", v1="SOFTMAX_LOSS", v0="softmax_loss", automatic_top=True),
        _fork("CTCLoss"),
        _fork("CenterLoss", blobs="uncertain"),
        _fork("CtcLoss"),
        _fork("EltwiseAccuracy", blobs="uncertain", v1=("ELTWISE_ACCURACY",)),
        _fork("L1Loss"),
        _fork("MultiBoxLoss"),
        _fork("ParseEvaluate", blobs="uncertain", v1=("PARSE_EVALUATE",)),
        _fork("RedAccuracy", blobs="uncertain", v1=("RED_ACCURACY",)),
        _fork("RedSoftmaxWithLoss", blobs="uncertain", v1=("RED_SOFTMAX_LOSS",)),
        _fork("RegionLoss"),
        _fork("SigmoidEuclideanLoss", blobs="uncertain", v1=("SIGMOID_EUCLIDEAN_LOSS",)),
        _fork("SmoothL1Loss"),
        _fork("SmoothL1LossOHEM"),
        _fork("SoftmaxWithLoss5", blobs="uncertain", v1=("SOFTMAX_WITH_LOSS5",)),
        _fork("SoftmaxWithLossOHEM"),
        _fork("TripletLoss", v1=("TRIPLET_LOSS",)),
        _fork("WarpCTC"),
        _fork("Yolov3"),
    ),
    "normalization": (
        _own("BatchNorm", "batch_norm_param", "dialects", fork_v1=("BATCH_NORM", "BATCHNORM")),
        _own("LRN", "lrn_param", v1="LRN", v0="lrn"),
        _own("MVN", "mvn_param", v1="MVN"),
        _fork("BN", blobs="some", v1=("BN",)),
        _fork("LayerNorm", blobs="uncertain"),
        _fork("MovingNormalize", blobs="some"),
        _fork("Normalize", blobs="dialects", v1=("NORMALIZE",)),
        _fork("SyncBN", "batch_norm_param", like="BN"),
    ),
    "pooling": (
        _own("Pooling", "pooling_param", v1="POOLING", v0="pool"),
        _own("SPP", "spp_param", fork_v1=("SPP",)),
        _fork("Pooling3D", v1=("POOLING3D",)),
    ),
    "recurrent": (
        _own("LSTM", "recurrent_param", "known", fork_v1=("LSTM",)),
        _own("LSTMUnit"),
        _own("RNN", "recurrent_param", "known"),
        _fork("ContinuationIndicator"),
        _fork("Lstm", blobs="some"),
    ),
    "reduction": (
        _own("ArgMax", "argmax_param", v1="ARGMAX"),
        _own("Reduction", "reduction_param", fork_v1=("REDUCTION",)),
        _fork("ParseOutput", blobs="uncertain", v1=("PARSE_OUTPUT",)),
    ),
    "reshaping": (
        _own("Flatten", "flatten_param", v1="FLATTEN", v0="flatten"),
        _own("Reshape", "reshape_param", fork_v1=("RESHAPE",)),
        _fork("Permute", v1=("PERMUTE",)),
        _fork("Reorg"),
        _fork("Reverse"),
        _fork("ShuffleChannel"),
        _fork("Transpose"),
    ),
    "slicing": (
        _own("BatchReindex"),
        _own("Concat", "concat_param", v1="CONCAT", v0="concat"),
        _own("Crop", "crop_param", fork_v1=("CROP",)),
        _own("Filter"),
        _own("Slice", "slice_param", v1="SLICE"),
        _own("Split", v1="SPLIT", v0="split"),
        _own("Tile", "tile_param", fork_v1=("TILE",)),
        _fork("CropCenter"),
    ),
    "upsampling": (
        _fork("Interp", v1=("INTERP",)),
        _fork("UnPooling", blobs="uncertain"),
        _fork("Unpooling", v1=("UNPOOLING",)),
        _fork("Upsample", v1=("UPSAMPLE",)),
    ),
}  # fmt: skip

FAMILIES = tuple(_BY_FAMILY)
"""The families, which are the names of files."""


def _resolved(layer_type: LayerType, family: str) -> LayerType:
    """The type with its family, and with what it has from the type that it is like."""
    original = next((each for each in _BY_FAMILY[family] if each.name == layer_type.like), layer_type)
    parameters = layer_type.parameters or original.parameters
    return layer_type._replace(parameters=parameters, blobs=original.blobs, family=family)


_RESOLVED = (_resolved(layer_type, family) for family, types in _BY_FAMILY.items() for layer_type in types)

LAYER_TYPES: Mapping[str, LayerType] = {
    layer_type.name: layer_type for layer_type in sorted(_RESOLVED, key=lambda each: (each.fork, each.name))
}
"""Every layer type by its name: those of Caffe 1.0, then those of forks."""


def merged(*families: Mapping[str, _Row]) -> dict[str, _Row]:
    """One wing's table, from the rows of its families; a type that is like another has that one's row.

    Raises:
        ValueError: a row is of no type in the catalogue, of one that is like another, or the second of its type.
    """
    rows: dict[str, _Row] = {}
    for family in families:
        for name, row in family.items():
            if name not in LAYER_TYPES:
                raise ValueError(f'"{name}" is no layer type of the catalogue')
            if LAYER_TYPES[name].like:
                raise ValueError(f"{name} has the row of {LAYER_TYPES[name].like}, and needs none of its own")
            if name in rows:
                raise ValueError(f"{name} has a row already")
            rows[name] = row
    originals = {name: layer_type.like or name for name, layer_type in LAYER_TYPES.items()}
    return {name: rows[original] for name, original in originals.items() if original in rows}
