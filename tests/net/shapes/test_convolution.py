"""Convolutions of all kinds, Local and Im2col."""

from __future__ import annotations

from caffeconv.net.shapes import infer_top_shapes
from tests.support.shape_cases import IMAGE, VOLUME, Case, shape_tests

CASES = {
    # Caffe's own, compared with a running Caffe
    "conv": Case("Convolution", "convolution_param { num_output: 6 kernel_size: 3 }",
                 (IMAGE,), ((2, 6, 4, 6),), ((6, 4, 3, 3), (6,))),
    "conv_no_bias_group": Case("Convolution",
                               "convolution_param { num_output: 6 kernel_size: 3 group: 2 bias_term: false }",
                               (IMAGE,), ((2, 6, 4, 6),), ((6, 2, 3, 3),)),
    "conv_stride_pad": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 stride: 2 pad: 1 }",
                            (IMAGE,), ((2, 1, 3, 4),), ((1, 4, 3, 3), (1,))),
    "conv_hw": Case("Convolution",
                    "convolution_param { num_output: 1 kernel_h: 3 kernel_w: 1 stride_h: 1 stride_w: 3 pad_h: 1 "
                    "pad_w: 0 }",
                    (IMAGE,), ((2, 1, 6, 3),), ((1, 4, 3, 1), (1,))),
    "conv_pad_h_only": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 pad_h: 1 }",
                            (IMAGE,), ((2, 1, 6, 6),), ((1, 4, 3, 3), (1,))),
    "conv_repeated": Case("Convolution",
                          "convolution_param { num_output: 1 kernel_size: 3 kernel_size: 1 stride: 1 stride: 3 pad: "
                          "1 pad: 0 }",
                          (IMAGE,), ((2, 1, 6, 3),), ((1, 4, 3, 1), (1,))),
    "conv_dilated": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 dilation: 2 dilation: 3 }",
                         (IMAGE,), ((2, 1, 2, 2),), ((1, 4, 3, 3), (1,))),
    "conv_3d": Case("Convolution", "convolution_param { num_output: 3 kernel_size: 2 stride: 1 stride: 2 stride: 1 }",
                    (VOLUME,), ((1, 3, 3, 2, 5),), ((3, 2, 2, 2, 2), (3,))),
    "conv_1d": Case("Convolution", "convolution_param { num_output: 3 kernel_size: 2 pad: 1 }",
                    ((2, 4, 9),), ((2, 3, 10),), ((3, 4, 2), (3,))),
    "conv_0d": Case("Convolution", "convolution_param { num_output: 3 kernel_size: 2 }",
                    ((2, 4),), ((2, 3),), ((3, 4), (3,))),
    "conv_axis_2": Case("Convolution", "convolution_param { num_output: 2 kernel_size: 3 axis: 2 }",
                        (IMAGE,), ((2, 4, 2, 6),), ((2, 6, 3), (2,))),
    "conv_axis_negative": Case("Convolution", "convolution_param { num_output: 2 kernel_size: 3 axis: -3 }",
                               (IMAGE,), ((2, 2, 4, 6),), ((2, 4, 3, 3), (2,))),
    "conv_two_bottoms": Case("Convolution", "convolution_param { num_output: 6 kernel_size: 3 }",
                             (IMAGE, IMAGE), ((2, 6, 4, 6), (2, 6, 4, 6)), ((6, 4, 3, 3), (6,))),
    "conv_beyond_input": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 7 stride: 2 }",
                              ((1, 1, 6, 6),), ((1, 1, 1, 1),), ((1, 1, 7, 7), (1,))),
    "deconv": Case("Deconvolution", "convolution_param { num_output: 6 kernel_size: 4 stride: 2 pad: 1 group: 2 }",
                   (IMAGE,), ((2, 6, 12, 16),), ((4, 3, 4, 4), (6,))),
    "deconv_dilated_3d": Case("Deconvolution",
                              "convolution_param { num_output: 1 kernel_size: 2 dilation: 2 stride: 3 bias_term: "
                              "false }",
                              (VOLUME,), ((1, 1, 12, 15, 18),), ((2, 1, 2, 2, 2),)),
    "im2col": Case("Im2col", "convolution_param { kernel_h: 3 kernel_w: 2 pad: 1 stride: 2 dilation: 2 }",
                   (IMAGE,), ((2, 24, 2, 4),)),
    "im2col_axis": Case("Im2col", "convolution_param { kernel_size: 2 axis: 2 }", (IMAGE,), ((2, 4, 12, 7),)),
    # of forks, by their sources
    **{
        name: Case(name, "convolution_param { num_output: 4 group: 4 kernel_h: 3 kernel_w: 1 stride: 2 pad: 1 }",
                   (IMAGE,), ((2, 4, 3, 5),), ((4, 1, 3, 1), (4,)))
        for name in ("ConvolutionDepthwise", "DepthwiseConvolution")
    },
    **{
        name: Case(name, "convolution_param { num_output: 6 kernel_size: 3 }", (IMAGE,), ((2, 6, 4, 6),), None)
        for name in ("CConvolution", "SqueezeConvolution", "ConvolutionBNFixed")
    },
    "depthwise_plain": Case("ConvolutionDepthwise", "convolution_param { kernel_size: 3 bias_term: false }",
                            (IMAGE,), ((2, 4, 4, 6),), ((4, 1, 3, 3),)),
    "conv_ristretto": Case("ConvolutionRistretto", "convolution_param { num_output: 6 kernel_size: 3 }",
                           (IMAGE,), ((2, 6, 4, 6),), ((6, 4, 3, 3), (6,))),
    "deconv_ristretto": Case("DeconvolutionRistretto", "convolution_param { num_output: 6 kernel_size: 3 }",
                             (IMAGE,), ((2, 6, 8, 10),), ((4, 6, 3, 3), (6,))),
    "same_padding": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 stride: 4 pad_type: 1 }",
                         (IMAGE,), ((2, 1, 2, 2),), ((1, 4, 3, 3), (1,))),
    "four_sided_padding": Case("Convolution",
                               "convolution_param { num_output: 1 kernel_size: 3 pad_t: 1 pad_b: 2 pad_l: 0 pad_r: 1 }",
                               (IMAGE,), ((2, 1, 7, 7),), ((1, 4, 3, 3), (1,))),
    "hole": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 hole: 2 }",
                 (IMAGE,), ((2, 1, 2, 4),), ((1, 4, 3, 3), (1,))),
    "local": Case("Local", "local_param { num_output: 5 kernel_size: 3 stride: 2 pad: 1 }",
                  (IMAGE,), ((2, 5, 3, 4),), None),
    "conv_c3d": Case("Convolution3D",
                     "convolution_param { num_output: 3 kernel_size: 3 kernel_depth: 2 pad: 1 temporal_stride: 2 }",
                     (VOLUME,), ((1, 3, 2, 5, 6),), ((3, 2, 2, 3, 3), (1, 1, 1, 1, 3))),
    "conv_c3d_own_param": Case("Convolution3D",
                               "convolution3d_param { num_output: 3 kernel_size: 3 kernel_depth: 3 temporal_pad: 1 "
                               "bias_term: false }",
                               (VOLUME,), ((1, 3, 4, 3, 4),), ((3, 2, 3, 3, 3),)),
}  # fmt: skip
REFUSED = {
    "conv_kernel_beyond_input": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 9 }", (IMAGE,)),
    "conv_without_kernel": Case("Convolution", "convolution_param { num_output: 1 }", (IMAGE,)),
    "conv_without_outputs": Case("Convolution", "convolution_param { kernel_size: 3 }", (IMAGE,)),
    "conv_two_spellings": Case("Convolution",
                               "convolution_param { num_output: 1 kernel_size: 3 kernel_h: 3 kernel_w: 3 }",
                               (IMAGE,)),
    "conv_three_kernels": Case("Convolution",
                               "convolution_param { num_output: 1 kernel_size: 3 kernel_size: 3 kernel_size: 3 }",
                               (IMAGE,)),
    "conv_hw_over_volume": Case("Convolution", "convolution_param { num_output: 1 kernel_h: 3 kernel_w: 3 }",
                                (VOLUME,)),
    "conv_stride_0": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 stride: 0 }", (IMAGE,)),
    "conv_stride_h_only": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 stride_h: 2 }",
                               (IMAGE,)),
    "conv_group": Case("Convolution", "convolution_param { num_output: 6 kernel_size: 3 group: 3 }", (IMAGE,)),
    "conv_group_outputs": Case("Convolution", "convolution_param { num_output: 6 kernel_size: 3 group: 4 }", (IMAGE,)),
    "conv_axis": Case("Convolution", "convolution_param { num_output: 6 kernel_size: 3 axis: 4 }", (IMAGE,)),
    "conv_bottoms_differ": Case("Convolution", "convolution_param { num_output: 6 kernel_size: 3 }",
                                (IMAGE, (2, 4, 6, 9))),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED, over_unknown={
    "conv": ((6, None, 3, 3), (6,)),
    "conv_hw": ((1, None, 3, 1), (1,)),
    "conv_3d": ((3, None, 2, 2, 2), (3,)),  # its strides tell how many axes there are
    "deconv": ((None, 3, 4, 4), (6,)),
    "depthwise_plain": ((None, 1, 3, 3),),
})  # fmt: skip


def test_convolution_against_counted_windows_and_its_transpose() -> None:
    for size in range(5, 12):
        for kernel in range(1, 4):
            for stride in range(1, 4):
                for dilation in range(1, 3):
                    text = f"num_output: 1 kernel_size: {kernel} stride: {stride} pad: 1 dilation: {dilation}"
                    last = (kernel - 1) * dilation
                    counted = len(range(-1, size + 1 - last, stride))
                    case = Case("Convolution", f"convolution_param {{ {text} }}", ((1, 1, size, size),))
                    assert infer_top_shapes(case.param, case.bottoms)[0] == ((1, 1, counted, counted),), (size, text)
                    touched = {start * stride + tap * dilation for start in range(size) for tap in range(kernel)}
                    case = Case("Deconvolution", f"convolution_param {{ {text} }}", ((1, 1, size, size),))
                    spread = max(touched) + 1 - 2
                    assert infer_top_shapes(case.param, case.bottoms)[0] == ((1, 1, spread, spread),), (size, text)
