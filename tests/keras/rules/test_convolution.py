"""Convolutions of all kinds."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.errors import UnsupportedError
from caffeconv.keras.rules.record import Context
from caffeconv.keras.rules.table import RULES
from caffeconv.model import Array, Blob, Layer, Shape
from tests.support import caffe_cases, formula_cases
from tests.support import naive_layers as naive
from tests.support.caffe_runs import Run
from tests.support.flattened_maps import channels_last
from tests.support.formula_cases import IMAGE, Case, Formula, masked
from tests.support.layer_cases import Case as LayerCase
from tests.support.layer_cases import definition_tests
from tests.support.naive_forks import folded_and_rounded, locally_connected


def batch_of_two_axes(run: Run) -> tuple[list[Array], list[Array]]:
    """The axis before the channels is one more batch."""
    return [channels_last(np.concatenate(run.bottoms[0]))], [channels_last(np.concatenate(run.tops[0]))]


def of_each_clip(run: Run) -> tuple[list[Array], list[Array]]:
    """As often as the layer has bottoms."""
    return tuple([channels_last(np.concatenate(each)) for each in (*arrays,)] for arrays in (run.bottoms, run.tops))  # type: ignore[return-value]


def without_batch(run: Run) -> tuple[list[Array], list[Array]]:
    """All axes are those of one sample."""
    return [channels_last(run.bottoms[0][np.newaxis])], [channels_last(run.tops[0][np.newaxis])]


def rows_to_maps(run: Run) -> tuple[list[Array], list[Array]]:
    return run.bottoms, [channels_last(run.tops[0])]


CAFFE = caffe_cases.learned(
    "Convolution",
    "Deconvolution",
    orders={
        **{f"behind_axes/{name}": of_each_clip for name in ("frames", "by_channel", "dilated", "larger", "again")},
        "behind_axes/no_batch": without_batch,
        "conv_axis/axis_2": batch_of_two_axes,
        "conv_axis/axis_minus_2": batch_of_two_axes,
        "flattened_features/rows_convolved": rows_to_maps,
        "flattened_features/rows_spread": rows_to_maps,
    },
)


def sliding(formula: Formula, stride: int | tuple[int, ...] = 1, pad: int | tuple[int, ...] = 0,
            dilation: int | tuple[int, ...] = 1, group: int = 1) -> Formula:  # fmt: skip
    def compute(x: Array, weight: Array, bias: Array | None = None) -> Array:
        settings = (np.broadcast_to(each, weight.ndim - 2) for each in (stride, pad, dilation))
        return formula(x, weight, bias, *settings, group)

    return compute


CONV = "convolution_param { num_output: %d kernel_size: %d %s }"


def rectified(slope: float) -> Formula:
    """Intel's `relu`: what is below 0 is multiplied by a slope."""

    def compute(x: Array, *blobs: Array) -> Array:
        y = sliding(naive.convolution)(x, *blobs)
        return np.where(y < 0, y * slope, y)

    return compute


FORMULAS = (
    Case("stride-and-dilation", "Convolution", IMAGE, ((3, 4, 3, 3), (3,)),
         sliding(naive.convolution, 2, 2, 2), CONV % (3, 3, "stride: 2 pad: 2 dilation: 2")),
    Case("stride-and-dilation-apart", "Convolution", IMAGE, ((3, 4, 2, 2), (3,)),
         sliding(naive.convolution, (2, 1), 0, (1, 3)),
         CONV % (3, 2, "stride_h: 2 stride_w: 1 dilation: 1 dilation: 3")),
    Case("grouped-1d", "Convolution", (2, 4, 9), ((4, 1, 3), (4,)),
         sliding(naive.convolution, 2, 1, 1, 4), CONV % (4, 3, "stride: 2 pad: 1 group: 4")),
    Case("grouped-3d", "Convolution", (1, 2, 4, 5, 4), ((4, 1, 2, 2, 2),),
         sliding(naive.convolution, 1, 0, 1, 2), CONV % (4, 2, "group: 2 bias_term: false")),
    Case("depthwise-unequal-strides", "Convolution", IMAGE, ((4, 1, 3, 3), (4,)),
         sliding(naive.convolution, (2, 1), 1, 1, 4), CONV % (4, 3, "stride_h: 2 stride_w: 1 pad: 1 group: 4")),
    Case("depthwise-stride-and-dilation", "Convolution", IMAGE, ((8, 1, 2, 2), (8,)),
         sliding(naive.convolution, 2, 1, 2, 4), CONV % (8, 2, "stride: 2 pad: 1 dilation: 2 group: 4")),
    Case("depthwise-as-conv2d", "Convolution", IMAGE, ((8, 1, 3, 3), (8,)),
         sliding(naive.convolution, 1, 1, 1, 4), CONV % (8, 3, "pad: 1 group: 4"), options={"depthwise": "conv2d"}),
    Case("stride-and-dilation", "Deconvolution", (2, 4, 3, 4), ((4, 3, 3, 3), (3,)),
         sliding(naive.deconvolution, 2, 1, 2), CONV % (3, 3, "stride: 2 pad: 1 dilation: 2")),
    Case("grouped-stride-and-dilation", "Deconvolution", (2, 4, 3, 4), ((4, 3, 2, 2),),
         sliding(naive.deconvolution, (3, 2), 0, (2, 3), 2),
         CONV % (6, 2, "stride: 3 stride: 2 dilation: 2 dilation: 3 group: 2 bias_term: false")),
    Case("1d-dilation", "Deconvolution", (2, 3, 5), ((3, 2, 3), (2,)),
         sliding(naive.deconvolution, 1, 1, 4), CONV % (2, 3, "pad: 1 dilation: 4")),
    Case("dilation-apart", "Deconvolution", (2, 4, 3, 4), ((4, 3, 3, 2), (3,)),
         sliding(naive.deconvolution, 1, 0, (1, 3)),
         "convolution_param { num_output: 3 kernel_h: 3 kernel_w: 2 dilation: 1 dilation: 3 }"),
    Case("3d-dilation", "Deconvolution", (1, 2, 3, 2, 3), ((2, 3, 2, 2, 2), (3,)),
         sliding(naive.deconvolution, 1, 1, 2), CONV % (3, 2, "pad: 1 dilation: 2")),
    Case("unequal", "Convolution3D", (1, 2, 5, 6, 4), ((3, 2, 2, 3, 3), (1, 1, 1, 1, 3)),
         sliding(naive.convolution, (2, 1, 1), (1, 0, 0)),
         "convolution3d_param { num_output: 3 kernel_size: 3 kernel_depth: 2 temporal_stride: 2 temporal_pad: 1 }"),
    Case("old-parameter", "Convolution3D", (1, 2, 5, 6, 4), ((3, 2, 3, 2, 2),),
         sliding(naive.convolution, (1, 2, 2), 1),
         CONV % (3, 2, "kernel_depth: 3 stride: 2 pad: 1 temporal_pad: 1 bias_term: false")),
    Case("unequal", "Deconvolution3D", (1, 2, 2, 3, 4), ((2, 3, 3, 2, 2), (1, 1, 1, 1, 3)),
         sliding(naive.deconvolution, (1, 2, 2), (1, 0, 0)),
         "convolution3d_param { num_output: 3 kernel_size: 2 kernel_depth: 3 stride: 2 temporal_pad: 1 }"),
    *(Case("plain", name, IMAGE, ((4, 1, 3, 3), (4,)), sliding(naive.convolution, 2, 1, 1, 4),
           CONV % (4, 3, "stride: 2 pad: 1")) for name in ("ConvolutionDepthwise", "DepthwiseConvolution")),
    Case("multiplier", "DepthwiseConvolution", IMAGE, ((8, 1, 3, 3),), sliding(naive.convolution, group=4),
         CONV % (8, 3, "bias_term: false")),
    *(Case(f"rectified-{name}", "Convolution", IMAGE, ((3, 4, 3, 3), (3,)), rectified(slope),
           CONV % (3, 3, f"relu: {relu} {words}") + more)
      for name, relu, words, more, slope in (
          ("", "true", "", "", 0), ("not", "false", "negative_slope: 0.5", "", 1),
          ("leaky", "true", "negative_slope: 0.5", "", 0.5),
          ("intel", "true", "negative_slope: 0.5", " relu_param { negative_slope: 0.25 }", 0.25))),
    Case("plain", "ConvolutionRistretto", IMAGE, ((3, 4, 3, 3), (3,)), sliding(naive.convolution), CONV % (3, 3, "")),
    Case("plain", "DeconvolutionRistretto", IMAGE, ((4, 3, 3, 3), (3,)), sliding(naive.deconvolution),
         CONV % (3, 3, "")),
    Case("all-masks", "CConvolution", IMAGE, ((3, 4, 2, 2), (3,)) * 2, masked(sliding(naive.convolution)),
         CONV % (3, 2, ""), masks=2),
    Case("without-bias", "CConvolution", IMAGE, ((3, 4, 2, 2),) * 2,
         lambda x, w, m: sliding(naive.convolution)(x, w * m), CONV % (3, 2, "bias_term: false"), masks=1),
    Case("mask-of-weights", "CConvolution", IMAGE, ((3, 4, 2, 2), (3,), (3, 4, 2, 2)),
         lambda x, w, b, m: sliding(naive.convolution)(x, w * m, b), CONV % (3, 2, ""), masks=1),
    Case("eight-bits", "ConvolutionBNFixed", IMAGE, ((3, 4, 3, 3), *((1, 3, 1, 1),) * 4),
         folded_and_rounded(sliding(naive.convolution, 2, 1), 8), CONV % (3, 3, "stride: 2 pad: 1 bias_term: false")),
    Case("five-bits-in-groups", "ConvolutionBNFixed", IMAGE, ((4, 2, 2, 2), *((4,),) * 4),
         folded_and_rounded(sliding(naive.convolution, group=2), 5),
         CONV % (4, 2, "group: 2 bias_term: false") + " fixed_param { bit_width: 5 }"),
    Case("not-rounded", "ConvolutionBNFixed", IMAGE, ((3, 4, 2, 2), *((3,),) * 4),
         folded_and_rounded(sliding(naive.convolution), 8, enabled=False),
         CONV % (3, 2, "bias_term: false") + " fixed_param { enable: false }"),
    Case("all-masks", "SqueezeConvolution", IMAGE, (*((3, 4, 2, 2), (3,)) * 2, (1, 1, 1, 2)),
         masked(sliding(naive.convolution)), CONV % (3, 2, ""), masks=3),
)  # fmt: skip
STORED = {"Local": {"kernel": (3, 1, 8, 30), "bias": (1, 1, 3, 30)}}

LOCAL = "local_param {{ num_output: 3 kernel_size: {} {} }}"
LOCALLY = {
    "plain": LayerCase(
        "Local", LOCAL.format(2, ""), ((2, 4, 6, 5),), locally_connected(2), ((3, 1, 16, 20), (1, 1, 3, 20))
    ),
    "stride-and-pad": LayerCase(
        "Local", LOCAL.format(3, "stride: 2 pad: 1"), ((2, 2, 7, 6),), locally_connected(3, 2, 1),
        ((3, 1, 18, 12), (1, 1, 3, 12)),
    ),
    "without-bias": LayerCase(
        "Local", LOCAL.format(3, "bias_term: false"), ((1, 2, 5, 6),), locally_connected(3), ((3, 1, 18, 12),)
    ),
}  # fmt: skip

TestLocally = definition_tests(LOCALLY)
test_computes_what_caffe_computes = caffe_cases.computes_what_caffe_computes(CAFFE)
test_computes_its_definition = formula_cases.computes_its_definition(FORMULAS)
test_is_named_and_as_stored = formula_cases.is_named_and_as_stored(STORED)


@pytest.mark.parametrize(
    ("blobs", "settings_of"),
    [
        pytest.param([(1, 1, 2, 2)], {"kernel_size": [2], "stride": [2], "dilation": [1 << 30]}, id="dilation"),
        pytest.param([(1 << 16, 1, 1)], {"kernel_size": [1], "group": 1 << 16}, id="groups"),
    ],
)
def test_refuses_to_fill_the_memory_with_zeros(blobs: list[Shape], settings_of: dict[str, object]) -> None:
    param = LayerParameter(name="it", type="Deconvolution", convolution_param=settings_of)
    layer = Layer("it", "Deconvolution", param, blobs=tuple(Blob(np.ones(shape, np.float32)) for shape in blobs))
    with pytest.raises(UnsupportedError, match="zeros would expand"):
        convert = RULES["Deconvolution"].convert
        assert convert is not None
        convert(layer, Context())
