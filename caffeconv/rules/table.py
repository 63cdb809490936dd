"""THE table: each Caffe layer type that has weights, what its blobs are, and the Keras layer they become.

The one place to add a layer type: a row here, at most one function in a module beside this one, one test case.
"""

from __future__ import annotations

from caffeconv.rules.convolution import convolution, deconvolution, depthwise_convolution, masked_convolution
from caffeconv.rules.dense import embed, inner_product, margin_inner_product, prelu
from caffeconv.rules.normalization import batch_norm, bias, fork_batch_norm, normalize, scale
from caffeconv.rules.record import Rule
from caffeconv.rules.recurrent import fork_lstm, lstm, rnn

__all__ = ["RULES"]

_CONV = "Conv1D / Conv2D / Conv3D, DepthwiseConv1D / DepthwiseConv2D"
_DECONV = "Conv1DTranspose / Conv2DTranspose / Conv3DTranspose"
_DEPTHWISE = "DepthwiseConv1D / DepthwiseConv2D"
_NORM = "BatchNormalization"
_NORM_WEIGHTS = "[gamma, beta,] moving_mean, moving_variance"

_BVLC = {
    "Convolution": Rule("W, [b]", _CONV, "kernel or depthwise_kernel, [bias]", convolution),
    "Deconvolution": Rule("W, [b]", _DECONV, "kernel, [bias]", deconvolution),
    "InnerProduct": Rule("W, [b]", "Dense", "kernel, [bias]", inner_product),
    "BatchNorm": Rule("mean, variance, factor", _NORM, _NORM_WEIGHTS, batch_norm),
    "Scale": Rule("[gamma,] [beta]", _NORM, "[gamma,] [beta,] moving_mean, moving_variance", scale),
    "Bias": Rule("beta", _NORM, "beta, moving_mean, moving_variance", bias),
    "PReLU": Rule("slope", "PReLU", "alpha", prelu),
    "Embed": Rule("W, [b]", "Embedding", "embeddings", embed),
    "LSTM": Rule("W_xc, b_c, [W_xc_static,] W_hc", "LSTM", "kernel, recurrent_kernel, bias", lstm),
    "RNN": Rule(
        "W_xh, b_h, [W_xh_static,] W_hh, W_ho, b_o",
        "SimpleRNN and Dense",
        "kernel, recurrent_kernel, bias; kernel, bias",
        rnn,
    ),
}

_FORKS = {
    "BN": Rule("scale, shift, [mean, variance]", _NORM, "gamma, beta, moving_mean, moving_variance", fork_batch_norm),
    "CConvolution": Rule("W, [b,] mask W, [mask b]", _CONV, "kernel, [bias]", masked_convolution),
    "Convolution3D": Rule("W, [b]", "Conv3D", "kernel, [bias]", convolution),
    "ConvolutionRistretto": Rule("W, [b]", _CONV, "kernel, [bias]", convolution),
    "ConvolutionDepthwise": Rule("W, [b]", _DEPTHWISE, "depthwise_kernel, [bias]", depthwise_convolution),
    "DeconvolutionRistretto": Rule("W, [b]", _DECONV, "kernel, [bias]", deconvolution),
    "FcRistretto": Rule("W, [b]", "Dense", "kernel, [bias]", inner_product),
    "Lstm": Rule("W_i, W_h, b", "LSTM", "kernel, recurrent_kernel, bias", fork_lstm),
    "MarginInnerProduct": Rule("W", "Dense", "kernel", margin_inner_product),
    "Normalize": Rule("scale", "a layer of your own", "gamma", normalize),
}

RULES: dict[str, Rule] = {
    **_BVLC,
    **_FORKS,
    "DepthwiseConvolution": _FORKS["ConvolutionDepthwise"],
    "SyncBN": _FORKS["BN"],
}
