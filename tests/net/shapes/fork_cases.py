"""Layers of the types and spellings of forks, by their sources, and what Caffe reads from files."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, LABELS, MATRIX, SEQUENCE, VOLUME, Case

__all__ = ["FORK_CASES"]

FORK_CASES = {
    **{
        name: Case(name, "", (IMAGE,), (IMAGE,))
        for name in (
            "DropoutChannel", "HardSigmoid", "HardSwish", "Insanity", "Mish", "RReLU", "ReLU6", "Reverse",
            "ShuffleChannel",
        )
    },
    **{name: Case(name, "", (IMAGE,), (IMAGE,), None) for name in ("BN", "SyncBN", "FixedNeuron")},
    **{
        name: Case(name, "", (MATRIX, LABELS), ((),))
        for name in (
            "CTCLoss", "CtcLoss", "L1Loss", "MultiBoxLoss", "RegionLoss", "SmoothL1Loss", "SoftmaxWithLossOHEM",
            "TripletLoss", "WarpCTC", "Yolov3",
        )
    },
    "CenterLoss": Case("CenterLoss", "", (MATRIX, LABELS), ((),), None),
    "ohem": Case("SmoothL1LossOHEM", "", (MATRIX, MATRIX), ((), None)),
    # What Caffe itself reads from files that are not there, or is given when the net is used.
    "input_without_shape": Case("Input", "", (), (None,)),
    "data": Case("Data", "data_param { batch_size: 8 }", (), (None, (8,))),
    "data_alone": Case("Data", "data_param { batch_size: 8 }", (), (None,)),
    "image_data_crop": Case("ImageData", "image_data_param { batch_size: 8 } transform_param { crop_size: 5 }",
                            (), ((8, 3, 5, 5), (8,))),
    "image_data_grey": Case("ImageData",
                            "image_data_param { batch_size: 8 new_height: 4 new_width: 6 is_color: false }",
                            (), ((8, 1, 4, 6), (8,))),
    "image_data_as_is": Case("ImageData", "image_data_param { batch_size: 8 }", (), (None, (8,))),
    "window_data": Case("WindowData", "window_data_param { batch_size: 8 } transform_param { crop_size: 5 }",
                        (), (None, (8,))),
    "hdf5_data": Case("HDF5Data", "hdf5_data_param { batch_size: 8 }", (), (None, None)),
    "hdf5_output": Case("HDF5Output", "", (IMAGE, LABELS), ()),
    "python": Case("Python", "", (IMAGE,), (None,), None),
    **{
        name: Case(name, "", (), (None, None))
        for name in ("AnnotatedData", "DenseImageData", "ImageSegData", "VideoData")
    },
    # Caffe 1.0 documents the second top, but stumbles over its loss weight.
    "softmax_loss_probabilities": Case("SoftmaxWithLoss", "", (MATRIX, LABELS), ((), MATRIX)),
    # Convolution-like types of forks.
    **{
        name: Case(name, "convolution_param { num_output: 4 group: 4 kernel_h: 3 kernel_w: 1 stride: 2 pad: 1 }",
                   (IMAGE,), ((2, 4, 3, 5),), ((4, 1, 3, 1), (4,)))
        for name in ("ConvolutionDepthwise", "DepthwiseConvolution")
    },
    "depthwise_plain": Case("ConvolutionDepthwise", "convolution_param { kernel_size: 3 bias_term: false }",
                            (IMAGE,), ((2, 4, 4, 6),), ((4, 1, 3, 3),)),
    "conv_ristretto": Case("ConvolutionRistretto", "convolution_param { num_output: 6 kernel_size: 3 }",
                           (IMAGE,), ((2, 6, 4, 6),), ((6, 4, 3, 3), (6,))),
    "deconv_ristretto": Case("DeconvolutionRistretto", "convolution_param { num_output: 6 kernel_size: 3 }",
                             (IMAGE,), ((2, 6, 8, 10),), ((4, 6, 3, 3), (6,))),
    "fc_ristretto": Case("FcRistretto", "inner_product_param { num_output: 7 }", (IMAGE,), ((2, 7),), ((7, 192), (7,))),
    **{
        name: Case(name, "convolution_param { num_output: 6 kernel_size: 3 }", (IMAGE,), ((2, 6, 4, 6),), None)
        for name in ("CConvolution", "SqueezeConvolution", "ConvolutionBNFixed")
    },
    **{
        name: Case(name, "inner_product_param { num_output: 7 }", (IMAGE,), ((2, 7),), None)
        for name in ("CInnerProduct", "SqueezeInnerProduct")
    },
    "same_padding": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 stride: 4 pad_type: 1 }",
                         (IMAGE,), ((2, 1, 2, 2),), ((1, 4, 3, 3), (1,))),
    "four_sided_padding": Case("Convolution",
                               "convolution_param { num_output: 1 kernel_size: 3 pad_t: 1 pad_b: 2 pad_l: 0 pad_r: 1 }",
                               (IMAGE,), ((2, 1, 7, 7),), ((1, 4, 3, 3), (1,))),
    "hole": Case("Convolution", "convolution_param { num_output: 1 kernel_size: 3 hole: 2 }",
                 (IMAGE,), ((2, 1, 2, 4),), ((1, 4, 3, 3), (1,))),
    "pool_floor_by_ceil_mode": Case("Pooling", "pooling_param { kernel_size: 3 stride: 2 ceil_mode: false }",
                                    (IMAGE,), ((2, 4, 2, 3),)),
    "local": Case("Local", "local_param { num_output: 5 kernel_size: 3 stride: 2 pad: 1 }",
                  (IMAGE,), ((2, 5, 3, 4),), None),
    "conv_c3d": Case("Convolution3D",
                     "convolution_param { num_output: 3 kernel_size: 3 kernel_depth: 2 pad: 1 temporal_stride: 2 }",
                     (VOLUME,), ((1, 3, 2, 5, 6),), ((3, 2, 2, 3, 3), (1, 1, 1, 1, 3))),
    "conv_c3d_own_param": Case("Convolution3D",
                               "convolution3d_param { num_output: 3 kernel_size: 3 kernel_depth: 3 temporal_pad: 1 "
                               "bias_term: false }",
                               (VOLUME,), ((1, 3, 4, 3, 4),), ((3, 2, 3, 3, 3),)),
    "pool_c3d": Case("Pooling3D", "pooling_param { kernel_size: 2 kernel_depth: 1 stride: 2 temporal_stride: 3 }",
                     (VOLUME,), ((1, 2, 2, 3, 3),)),
    # Detection.
    "permute": Case("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }", (IMAGE,), ((2, 6, 8, 4),)),
    "permute_rest": Case("Permute", "permute_param { order: 3 }", (IMAGE,), ((8, 2, 4, 6),)),
    "prior_box": Case("PriorBox",
                      "prior_box_param { min_size: 10 max_size: 20 aspect_ratio: 2 aspect_ratio: 3 aspect_ratio: 1 }",
                      (IMAGE, (2, 3, 60, 80)), ((1, 2, 6 * 8 * 6 * 4),)),
    "prior_box_unflipped": Case("PriorBox",
                                "prior_box_param { min_size: 10 min_size: 15 aspect_ratio: 2 aspect_ratio: 2 flip: "
                                "false }",
                                (IMAGE, (2, 3, 60, 80)), ((1, 2, 6 * 8 * 4 * 4),)),
    "prior_box_inverse_given": Case("PriorBox", "prior_box_param { min_size: 10 aspect_ratio: 2 aspect_ratio: 0.5 }",
                                    (IMAGE, (2, 3, 60, 80)), ((1, 2, 6 * 8 * 3 * 4),)),
    "prior_box_clustered": Case("PriorBoxClustered", "prior_box_param { width: 3 width: 4 height: 5 height: 6 }",
                                (IMAGE, (2, 3, 60, 80)), ((1, 2, 6 * 8 * 2 * 4),)),
    "normalize": Case("Normalize", "norm_param { across_spatial: false channel_shared: false }",
                      (IMAGE,), (IMAGE,), ((4,),)),
    "normalize_shared": Case("Normalize", "norm_param { across_spatial: false }", (IMAGE,), (IMAGE,), ((),)),
    "normalize_without_weights": Case("Normalize", "", (IMAGE,), (IMAGE,), None),
    "detection_output": Case("DetectionOutput", "", (None, None, None), ((1, 1, 1, 7),)),
    "yolo_output": Case("YoloDetectionOutput", "", (IMAGE,), (None,)),
    "yolov3_output": Case("Yolov3DetectionOutput", "", (IMAGE,), (None,)),
    "roi_pooling": Case("ROIPooling", "roi_pooling_param { pooled_h: 7 pooled_w: 5 }",
                        (IMAGE, (30, 5)), ((30, 4, 7, 5),)),
    "roi_align": Case("ROIAlign", "roi_align_param { pooled_h: 7 pooled_w: 5 }", (IMAGE, (30, 5)), ((30, 4, 7, 5),)),
    "psroi": Case("PSROIPooling", "psroi_pooling_param { output_dim: 21 group_size: 7 }",
                  (IMAGE, (30, 5)), ((30, 21, 7, 7),)),
    # Larger images.
    "upsample_yolo": Case("Upsample", "upsample_param { scale: 2 }", (IMAGE,), ((2, 4, 12, 16),)),
    "upsample_segnet": Case("Upsample", "upsample_param { scale_h: 2 scale_w: 3 pad_out_h: true }",
                            (IMAGE, IMAGE), ((2, 4, 11, 24),)),
    "upsample_to_size": Case("Upsample", "upsample_param { scale: 2 upsample_h: 11 upsample_w: 15 }",
                             (IMAGE, IMAGE), ((2, 4, 11, 15),)),
    "interp_zoom": Case("Interp", "interp_param { zoom_factor: 3 }", (IMAGE,), ((2, 4, 16, 22),)),
    "interp_shrink": Case("Interp", "interp_param { shrink_factor: 2 pad_beg: -1 }", (IMAGE,), ((2, 4, 3, 4),)),
    "interp_both": Case("Interp", "interp_param { shrink_factor: 2 zoom_factor: 3 }", (IMAGE,), ((2, 4, 7, 10),)),
    "interp_size": Case("Interp", "interp_param { height: 33 width: 65 }", (IMAGE,), ((2, 4, 33, 65),)),
    "interp_like": Case("Interp", "interp_param { }", (IMAGE, (2, 1, 9, 11)), ((2, 4, 9, 11),)),
    "unpooling": Case("Unpooling", "unpooling_param { kernel_size: 2 stride: 2 unpool_size: 14 }",
                      (IMAGE, IMAGE), ((2, 4, 14, 14),)),
    "reorg": Case("Reorg", "reorg_param { stride: 2 }", (IMAGE,), ((2, 16, 3, 4),)),
    "reorg_back": Case("Reorg", "reorg_param { stride: 2 reverse: true }", (IMAGE,), ((2, 1, 12, 16),)),
    # The rest.
    "crop_center": Case("CropCenter", "crop_center_param { crop_size: 0 crop_size: 0 crop_size: 2 crop_size: 1 }",
                        (IMAGE,), ((2, 4, 2, 6),)),
    "axpy": Case("Axpy", "", ((2, 4, 1, 1), IMAGE, IMAGE), (IMAGE,)),
    "mul": Case("Mul", "", (IMAGE, (2, 4, 1, 1)), (IMAGE,), None),
    "mul_by_more": Case("Mul", "", ((6, 1), IMAGE), (IMAGE,), None),
    "transpose": Case("Transpose", "transpose_param { dim: 3 dim: 2 dim: 0 dim: 1 }", (IMAGE,), ((8, 6, 2, 4),)),
    "continuation": Case("ContinuationIndicator", "continuation_indicator_param { time_step: 16 batch_size: 8 }",
                         (), ((16, 8),)),
    "lstm_of_matrix": Case("Lstm", "lstm_param { num_output: 9 }", ((14, 3),), ((14, 9),), None),
    "lstm_of_sequence": Case("Lstm", "lstm_param { num_output: 9 }", (SEQUENCE,), ((7, 2, 9),), None),
    "margin_product": Case("MarginInnerProduct", "margin_inner_product_param { num_output: 9 }",
                           (MATRIX, LABELS), ((5, 9), (1,)), ((9, 3),)),
}  # fmt: skip
