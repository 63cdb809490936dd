"""THE table: each Caffe layer type that has weights, what its blobs are, and the Keras layer they become.

The one place to add a layer type: a row here, at most one function in a module beside this one, one test case.
"""

from __future__ import annotations

from caffeconv.keras.rules.affine import bias, scale
from caffeconv.keras.rules.blobs import without_masks
from caffeconv.keras.rules.convolution import (
    channels_moved_last,
    convolution,
    convolution_3d,
    deconvolution,
    deconvolution_3d,
    depthwise_convolution,
)
from caffeconv.keras.rules.dense import embed, inner_product, margin_inner_product, prelu
from caffeconv.keras.rules.features import by_feature
from caffeconv.keras.rules.normalization import batch_norm, fork_batch_norm, normalize
from caffeconv.keras.rules.record import Rule
from caffeconv.keras.rules.recurrent import fork_lstm, lstm, rnn
from caffeconv.keras.rules.stored import stored

__all__ = ["RULES"]

_CONV = "Conv1D / Conv2D / Conv3D, DepthwiseConv1D / DepthwiseConv2D"
_DECONV = "Conv1DTranspose / Conv2DTranspose / Conv3DTranspose"
_DEPTHWISE = "DepthwiseConv1D / DepthwiseConv2D"
_NORM = "BatchNormalization"
_NONE = "none, as stored"

_KERNEL = "kernel, [bias]"
_CONV_KERNEL = "kernel or depthwise_kernel, [bias]"
_NORM_WEIGHTS = "[gamma, beta,] moving_mean, moving_variance"
_FULL_NORM_WEIGHTS = "gamma, beta, moving_mean, moving_variance"
_SCALE_WEIGHTS = "[gamma,] [beta,] moving_mean, moving_variance"
_LSTM_WEIGHTS = "kernel, recurrent_kernel, bias"
_RNN_BLOBS = "W_xh, b_h, [W_xh_static,] W_hh, W_ho, b_o"
_NORM_BLOBS = "mean, variance, factor; forks: with scale, shift in several orders"
_MASKED = "W, [b,] mask W, [mask b]"
_SQUEEZED = "W, [b,] mask W, [mask b,] statistics"
_MEANFIELD = ("spatial_weights", "bilateral_weights", "compatibility")

_BVLC = {
    "BatchNorm":     Rule(_NORM_BLOBS, _NORM, _NORM_WEIGHTS, by_feature(batch_norm)),
    "Bias":          Rule("beta", _NORM, "beta, moving_mean, moving_variance", by_feature(bias)),
    "Convolution":   Rule("W, [b]", _CONV, _CONV_KERNEL, channels_moved_last(convolution)),
    "Deconvolution": Rule("W, [b]", _DECONV, _KERNEL, channels_moved_last(deconvolution)),
    "Embed":         Rule("W, [b]", "Embedding", "embeddings", embed),
    "InnerProduct":  Rule("W, [b]", "Dense", _KERNEL, inner_product),
    "LSTM":          Rule("W_xc, b_c, [W_xc_static,] W_hc", "LSTM", _LSTM_WEIGHTS, lstm),
    "PReLU":         Rule("slope", "PReLU", "alpha", by_feature(prelu)),
    "Parameter":     Rule("value", _NONE, "weights_0", stored("weights_0")),
    "RNN":           Rule(_RNN_BLOBS, "SimpleRNN and Dense", f"{_LSTM_WEIGHTS}; kernel, bias", rnn),
    "Scale":         Rule("[gamma,] [beta]", _NORM, _SCALE_WEIGHTS, by_feature(scale)),
}  # fmt: skip

_BN = Rule("scale, shift, [mean, variance]", _NORM, _FULL_NORM_WEIGHTS, by_feature(fork_batch_norm))
_DW = Rule("W, [b]", _DEPTHWISE, "depthwise_kernel, [bias]", depthwise_convolution)
_MARGIN = Rule("W", "Dense", "kernel", margin_inner_product)
_NUMBER = Rule("scale", _NONE, "scale", stored("scale"))

_FORKS = {
    "BN":                       _BN,
    "CConvolution":             Rule(_MASKED, _CONV, _CONV_KERNEL, without_masks(convolution)),
    "CInnerProduct":            Rule(_MASKED, "Dense", _KERNEL, without_masks(inner_product)),
    "CenterLoss":               Rule("centers", _NONE, "centers", stored("centers")),
    "ChannelScale":             _NUMBER,
    "Convolution3D":            Rule("W, [b]", "Conv3D", _KERNEL, convolution_3d),
    "ConvolutionDepthwise":     _DW,
    "ConvolutionRistretto":     Rule("W, [b]", _CONV, _CONV_KERNEL, convolution),
    "Deconvolution3D":          Rule("W, [b]", "Conv3DTranspose", _KERNEL, deconvolution_3d),
    "DeconvolutionRistretto":   Rule("W, [b]", _DECONV, _KERNEL, deconvolution),
    "DepthwiseConvolution":     _DW,
    "FcRistretto":              Rule("W, [b]", "Dense", _KERNEL, inner_product),
    "InnerDistance":            Rule("centers", _NONE, "centers", stored("centers")),
    "LargeMarginInnerProduct":  _MARGIN,
    "LayerNorm":                Rule("gamma, beta", _NONE, "gamma, beta", stored("gamma", "beta")),
    "Local":                    Rule("W, [b]", _NONE, _KERNEL, stored("kernel", "bias")),
    "Lstm":                     Rule("W_i, W_h, b", "LSTM", _LSTM_WEIGHTS, fork_lstm),
    "MarginInnerProduct":       _MARGIN,
    "MovingNormalize":          _NUMBER,
    "MultiStageMeanfield":      Rule(", ".join(_MEANFIELD), _NONE, ", ".join(_MEANFIELD), stored(*_MEANFIELD)),
    "Normalize":                Rule("scale", "a layer of your own", "gamma", normalize),
    "SqueezeConvolution":       Rule(_SQUEEZED, _CONV, _CONV_KERNEL, without_masks(convolution, statistics=1)),
    "SqueezeInnerProduct":      Rule(_SQUEEZED, "Dense", _KERNEL, without_masks(inner_product, statistics=1)),
    "SyncBN":                   _BN,
}  # fmt: skip

RULES: dict[str, Rule] = {**_BVLC, **_FORKS}
