"""Boxes and regions, of forks: by their sources."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, Case, shape_tests

CASES = {
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
    "detection_output": Case("DetectionOutput", "", (None, None, None), ((1, 1, 1, 7),)),
    "yolo_output": Case("YoloDetectionOutput", "", (IMAGE,), (None,)),
    "yolov3_output": Case("Yolov3DetectionOutput", "", (IMAGE,), (None,)),
    "roi_pooling": Case("ROIPooling", "roi_pooling_param { pooled_h: 7 pooled_w: 5 }",
                        (IMAGE, (30, 5)), ((30, 4, 7, 5),)),
    "roi_align": Case("ROIAlign", "roi_align_param { pooled_h: 7 pooled_w: 5 }", (IMAGE, (30, 5)), ((30, 4, 7, 5),)),
    "psroi": Case("PSROIPooling", "psroi_pooling_param { output_dim: 21 group_size: 7 }",
                  (IMAGE, (30, 5)), ((30, 21, 7, 7),)),
}  # fmt: skip

TestShapes = shape_tests(CASES, tops_over_unknown={
    "detection_output": ((1, 1, 1, 7),),
    "roi_pooling": ((None, None, 7, 5),),
    "roi_align": ((None, None, 7, 5),),
    "psroi": ((None, 21, 7, 7),),
})  # fmt: skip
