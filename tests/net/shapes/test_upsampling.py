"""Larger images, and smaller ones, of forks: by their sources."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, Case, shape_tests

CASES = {
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
}  # fmt: skip

TestShapes = shape_tests(CASES)
