"""Parts, joins and copies of blobs."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, MATRIX, Case, shape_tests

CASES = {
    # Caffe's own, compared with a running Caffe
    "concat": Case("Concat", "", (IMAGE, (2, 5, 6, 8), IMAGE), ((2, 13, 6, 8),)),
    "concat_one": Case("Concat", "", (IMAGE,), (IMAGE,)),
    "concat_axis": Case("Concat", "concat_param { axis: -1 }", (IMAGE, (2, 4, 6, 1)), ((2, 4, 6, 9),)),
    "concat_dim": Case("Concat", "concat_param { concat_dim: 0 }", (IMAGE, (3, 4, 6, 8)), ((5, 4, 6, 8),)),
    "slice": Case("Slice", "", (IMAGE,), ((2, 2, 6, 8), (2, 2, 6, 8))),
    "slice_points": Case("Slice", "slice_param { axis: -2 slice_point: 1 slice_point: 3 }",
                         (IMAGE,), ((2, 4, 1, 8), (2, 4, 2, 8), (2, 4, 3, 8))),
    "slice_dim": Case("Slice", "slice_param { slice_dim: 0 }", (IMAGE,), ((1, 4, 6, 8), (1, 4, 6, 8))),
    "slice_one": Case("Slice", "", (IMAGE,), (IMAGE,)),
    "split": Case("Split", "", (IMAGE,), (IMAGE, IMAGE, IMAGE)),
    "crop": Case("Crop", "crop_param { offset: 1 }", (IMAGE, (9, 9, 3, 2)), ((2, 4, 3, 2),)),
    "crop_axis": Case("Crop", "crop_param { axis: 1 offset: 0 offset: 1 offset: 2 }",
                      (IMAGE, (9, 3, 4, 5)), ((2, 3, 4, 5),)),
    "crop_no_offset": Case("Crop", "crop_param { axis: -1 }", (IMAGE, (1, 1, 1, 8)), ((2, 4, 6, 8),)),
    "tile": Case("Tile", "tile_param { tiles: 3 }", (IMAGE,), ((2, 12, 6, 8),)),
    "tile_axis": Case("Tile", "tile_param { axis: -1 tiles: 2 }", (IMAGE,), ((2, 4, 6, 16),)),
    "batch_reindex": Case("BatchReindex", "", (IMAGE, (7,)), ((7, 4, 6, 8),)),
    "filter": Case("Filter", "", (IMAGE, (2, 3), (2, 1)), (IMAGE, (2, 3))),
    # of forks, by their sources
    "crop_center": Case("CropCenter", "crop_center_param { crop_size: 0 crop_size: 0 crop_size: 2 crop_size: 1 }",
                        (IMAGE,), ((2, 4, 2, 6),)),
}  # fmt: skip
REFUSED = {
    "concat_sizes": Case("Concat", "", (IMAGE, (2, 4, 6, 9))),
    "concat_ranks": Case("Concat", "", (IMAGE, (2, 4, 6))),
    "concat_both": Case("Concat", "concat_param { axis: 1 concat_dim: 1 }", (IMAGE, IMAGE)),
    "concat_dim": Case("Concat", "concat_param { concat_dim: 4 }", (IMAGE, IMAGE)),
    "slice_unequal": Case("Slice", "slice_param { axis: 0 }", (MATRIX,), (None, None)),
    "slice_points_order": Case("Slice", "slice_param { axis: 0 slice_point: 3 slice_point: 2 }",
                               (MATRIX,), (None, None, None)),
    "slice_points_number": Case("Slice", "slice_param { axis: 0 slice_point: 3 }", (MATRIX,), (None, None, None)),
    "crop_beyond": Case("Crop", "crop_param { offset: 4 }", (IMAGE, (9, 9, 3, 2))),
    "crop_offsets": Case("Crop", "crop_param { offset: 0 offset: 0 offset: 0 }", (IMAGE, (9, 9, 3, 2))),
    "crop_rank": Case("Crop", "", (IMAGE, (6, 8))),
    "tile_0": Case("Tile", "tile_param { tiles: 0 }", (IMAGE,)),
    "reindex_rank": Case("BatchReindex", "", (IMAGE, (7, 1))),
    "filter_selector": Case("Filter", "", (IMAGE, (3,))),
    "filter_selector_shape": Case("Filter", "", (IMAGE, (2, 2))),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED)
