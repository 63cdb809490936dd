"""What becomes of every setting of a layer: every field of the schema, stock and fork, is in one set of its message.

A model that is not trained depends on those that are `used`. `idle` ones change nothing in it: they are for training,
for reading data, for speed, or the blobs tell the same. Of the rest the user is told where they are set to anything
but their default: `told` are not read, `warned` are not read, either, and the layer computes other numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["ALL", "SETTINGS", "Settings"]

ALL = "*"
"""Stands for every field of a message."""


class Settings(NamedTuple):
    """The fields of one message: names with spaces between them, and for `warned` ones what Caffe does by them."""

    used: str = ""
    idle: str = ""
    told: str = ""
    warned: Mapping[str, str] = {}


_ROUNDED = "its fork rounds to few bits when the net is run, which is not done here: the numbers differ"
_DATA = "batch_size crop_size"
_TRANSFORMED = "scale mean_file mirror"

SETTINGS: Mapping[str, Settings] = {
    # --- Every layer
    "LayerParameter": Settings(
        used=(
            "name type bottom top param blobs include exclude phase transform_param "
            "argmax_param batch_norm_param bias_param clip_param concat_param convolution_param crop_param data_param "
            "dropout_param dummy_data_param eltwise_param elu_param embed_param exp_param flatten_param "
            "hdf5_data_param image_data_param inner_product_param input_param log_param lrn_param memory_data_param "
            "mvn_param parameter_param pooling_param power_param prelu_param recurrent_param reduction_param "
            "relu_param reshape_param scale_param slice_param softmax_param spp_param swish_param threshold_param "
            "tile_param window_data_param accuracy_param infogain_loss_param python_param "
            "roi_pooling_param roi_align_param psroi_pooling_param permute_param prior_box_param "
            "detection_output_param norm_param yolo_detection_output_param yolov3_detection_output_param reorg_param "
            "bn_param upsample_param interp_param unpooling_param lstm_param transpose_param reverse_param "
            "continuation_indicator_param layer_norm_param margin_inner_product_param inner_distance_param "
            "local_param insanity_param rrelu_param channel_scale_param convolution3d_param pooling3d_param "
            "fixed_param shuffle_channel_param crop_center_param"
        ),
        idle=(
            "loss_weight propagate_down backward_type backward_math engine sigmoid_param tanh_param "
            "contrastive_loss_param hinge_loss_param loss_param smooth_l1_loss_param box_annotator_ohem_param "
            "multibox_loss_param region_loss_param yolov3_param ctc_loss_param warpctc_loss_param "
            "labelsequence_accuracy_param detection_evaluate_param hdf5_output_param annotated_data_param "
            "spatial_dropout_param eltwise_affine_param weights_compress_param activations_compress_param"
        ),
        told=(
            "forward_type forward_math roi_alignment_param proposal_param deformable_convolution_param "
            "video_data_param mask_resize_param relu6_param gs_tiling_param dense_image_data_param seg_data_param "
            "multi_stage_meanfield_param lstm_simple_param lstm_attention_param ctc_decoder_param denseblock_param "
            "st_param sub_region_param cconvolution_param cinner_product_param mn_activation_param resize_param "
            "grn_param"
        ),
        warned=dict.fromkeys(("quantization_param", "weights_compress", "activations_compress"), _ROUNDED),
    ),
    "ParamSpec": Settings(used="name share_mode lr_mult", idle="decay_mult"),
    "NetStateRule": Settings(used="phase min_level max_level stage not_stage"),
    "FillerParameter": Settings(used="type value", idle="min max mean std sparse variance_norm"),
    "BlobProto": Settings(used="shape data double_data num channels height width payload", idle="diff double_diff"),
    "BlobShape": Settings(used="dim"),
    # --- The types of Caffe 1.0
    "AccuracyParameter": Settings(used="axis", idle="top_k ignore_label"),
    "ArgMaxParameter": Settings(used="out_max_val top_k axis"),
    "BatchNormParameter": Settings(
        used="use_global_stats eps scale_bias relu add_eps_before_sqrt",
        idle=(
            "moving_average_fraction engine scale_filler bias_filler use_weight_bias bias_term filler "
            "update_global_stats"
        ),
    ),
    "BiasParameter": Settings(used="axis num_axes filler"),
    "ClipParameter": Settings(used="min max"),
    "ConcatParameter": Settings(used="axis concat_dim"),
    "ContrastiveLossParameter": Settings(idle=ALL),
    "ConvolutionParameter": Settings(
        used=(
            "num_output bias_term pad kernel_size stride dilation pad_h pad_w kernel_h kernel_w stride_h stride_w "
            "group axis kernel_depth temporal_pad temporal_stride pad_l pad_r pad_t pad_b pad_type dilation_h "
            "dilation_w hole hole_h hole_w filter_stride filter_stride_h filter_stride_w relu negative_slope "
            "weight_filler bias_filler"
        ),
        idle="engine force_nd_im2col",
        told="deformable_group",
    ),
    "CropParameter": Settings(used="axis offset"),
    "DataParameter": Settings(
        used=_DATA, idle=f"{_TRANSFORMED} source rand_skip backend force_encoded_color prefetch"
    ),
    "DropoutParameter": Settings(
        used="dropout_ratio scale_train",
        warned={"sample_weights_test": "Caffe leaves out values at random when the net is not trained, too"},
    ),
    "DummyDataParameter": Settings(used="shape num channels height width", told="data_filler"),
    "EltwiseParameter": Settings(used="operation coeff", idle="stable_prod_grad"),
    "ELUParameter": Settings(used="alpha"),
    "EmbedParameter": Settings(used="num_output input_dim bias_term weight_filler bias_filler"),
    "ExpParameter": Settings(used="base scale shift"),
    "FlattenParameter": Settings(used="axis end_axis"),
    "HDF5DataParameter": Settings(used="batch_size", idle="source shuffle"),
    "HDF5OutputParameter": Settings(idle=ALL),
    "HingeLossParameter": Settings(idle=ALL),
    "ImageDataParameter": Settings(
        used=f"{_DATA} new_height new_width is_color", idle=f"{_TRANSFORMED} source rand_skip shuffle root_folder"
    ),
    "InfogainLossParameter": Settings(used="axis", idle="source"),
    "InnerProductParameter": Settings(
        used="num_output bias_term axis transpose normalize distance_type weight_filler bias_filler"
    ),
    "InputParameter": Settings(used="shape"),
    "LogParameter": Settings(used="base scale shift"),
    "LossParameter": Settings(idle=ALL),
    "LRNParameter": Settings(used="local_size alpha beta norm_region k", idle="engine"),
    "MemoryDataParameter": Settings(used="batch_size channels height width"),
    "MVNParameter": Settings(used="normalize_variance across_channels eps"),
    "ParameterParameter": Settings(used="shape"),
    "PoolingParameter": Settings(
        used=(
            "pool pad pad_h pad_w kernel_size kernel_h kernel_w stride stride_h stride_w global_pooling round_mode "
            "ceil_mode kernel_depth temporal_stride pad_l pad_r pad_t pad_b pad_type unpool unpool_size unpool_h "
            "unpool_w"
        ),
        idle="engine",
        warned={"temporal_pad": "Pooling3D pads the axis of time, which is not padded here"},
    ),
    "PowerParameter": Settings(used="power scale shift"),
    "PReLUParameter": Settings(used="filler channel_shared"),
    "PythonParameter": Settings(used="module layer", idle="share_in_parallel", told="param_str"),
    "RecurrentParameter": Settings(
        used="num_output expose_hidden num_layers bidirectional batch_first",
        idle="weight_filler bias_filler debug_info clipping_threshold",
        told="batch_size",
    ),
    "ReductionParameter": Settings(used="operation axis coeff"),
    "ReLUParameter": Settings(used="negative_slope relu6", idle="engine"),
    "ReshapeParameter": Settings(used="shape axis num_axes"),
    "ScaleParameter": Settings(used="axis num_axes filler bias_term bias_filler"),
    "SigmoidParameter": Settings(idle=ALL),
    "SliceParameter": Settings(used="axis slice_point slice_dim"),
    "SoftmaxParameter": Settings(used="axis", idle="engine"),
    "SPPParameter": Settings(used="pyramid_height pool", idle="engine"),
    "SwishParameter": Settings(used="beta"),
    "TanHParameter": Settings(idle=ALL),
    "ThresholdParameter": Settings(used="threshold"),
    "TileParameter": Settings(used="axis tiles"),
    "TransformationParameter": Settings(idle=ALL),
    "WindowDataParameter": Settings(
        used=_DATA,
        idle=(
            f"{_TRANSFORMED} source fg_threshold bg_threshold fg_fraction context_pad crop_mode cache_images "
            "root_folder"
        ),
    ),
    # --- Forks: reading data, losses, and what is not known at all
    **dict.fromkeys(
        (
            "ResizeParameter", "DistortionParameter", "ExpansionParameter", "EmitConstraint", "AnnotatedDataParameter",
            "BatchSampler", "Sampler", "SampleConstraint", "SmoothL1LossParameter", "BoxAnnotatorOhemParameter",
            "MultiBoxLossParameter", "SaveOutputParameter", "DetectionEvaluateParameter",
        ),
        Settings(idle=ALL),
    ),
    **dict.fromkeys(
        (
            "ProposalParameter", "VideoDataParameter", "MaskResizeParameter", "MultiStageMeanfieldParameter",
            "CtcParameter", "DenseBlockParameter", "SpatialTransformerParameter", "SubRegionParameter",
            "MnActivationParameter", "GRNParameter",
        ),
        Settings(told=ALL),
    ),
    "CompressParameter": Settings(idle=ALL),
    "QuantizationParameter": Settings(told=ALL),
    # --- Forks: layers
    "BNParameter": Settings(
        used="eps bn_mode", idle="scale_filler shift_filler slope_filler bias_filler momentum frozen engine"
    ),
    "ChannelScaleParameter": Settings(
        used="do_forward",
        idle="do_backward_feature do_backward_scale global_scale init_global_scale",
        told="max_global_scale min_global_scale",
    ),
    "ContinuationIndicatorParameter": Settings(used="time_step batch_size flag"),
    "CropCenterParameter": Settings(used="crop_size"),
    "DetectionOutputParameter": Settings(
        used=(
            "num_classes share_location background_label_id nms_param code_type variance_encoded_in_target keep_top_k "
            "confidence_threshold"
        ),
        idle="save_output_param visualize visualize_threshold save_file",
        warned={"objectness_score": "RefineDet drops boxes by a score of another branch, which is not done here"},
    ),
    "EltwiseAffineParameter": Settings(idle=ALL),
    "FixedParameter": Settings(used="fixed_method bit_width enable follow_data_layer"),
    "InsanityParameter": Settings(used="lb ub", idle="mean"),
    "InterpParameter": Settings(used="height width zoom_factor shrink_factor pad_beg pad_end"),
    "LayerNormParameter": Settings(used="epsilon eps elementwise_affine"),
    "MarginInnerProductParameter": Settings(
        used="num_output axis", idle="type weight_filler base gamma power iteration lambda_min"
    ),
    "NonMaximumSuppressionParameter": Settings(used="nms_threshold top_k eta"),
    "NormalizeParameter": Settings(used="across_spatial channel_shared eps", idle="scale_filler"),
    "PermuteParameter": Settings(used="order"),
    "PriorBoxParameter": Settings(
        used=(
            "min_size max_size aspect_ratio flip clip variance img_size img_h img_w step step_h step_w offset width "
            "height fixed_size fixed_ratio density"
        )
    ),
    "ReorgParameter": Settings(used="stride reverse"),
    "ReverseParameter": Settings(used="axis"),
    "RoiPoolingParameter": Settings(
        used="pooled_h pooled_w spatial_scale output_dim group_size sampling_ratio",
        warned={"pad_ratio": "Caffe makes each region larger by it, which is not done here"},
    ),
    "ShuffleChannelParameter": Settings(used="group"),
    "TransposeParameter": Settings(used="dim"),
    "UpsampleParameter": Settings(
        used="scale scale_h scale_w pad_out_h pad_out_w upsample_h upsample_w", told="height width"
    ),
    "YoloParameter": Settings(
        used="num_classes num biases anchors_scale mask confidence_threshold nms_threshold",
        idle="thresh",
        told="num_class classes coords side anchor_x anchor_y mask_group_num",
    ),
}  # fmt: skip
