"""Pooling and spatial pyramids."""

from __future__ import annotations

import pytest

from caffeconv.net.shapes import infer_top_shapes
from tests.support.shape_cases import IMAGE, VOLUME, Case, shape_tests

CASES = {
    # Caffe's own, compared with a running Caffe
    "pool_ceil": Case("Pooling", "pooling_param { kernel_size: 3 stride: 2 }", (IMAGE,), ((2, 4, 3, 4),)),
    "pool_floor": Case("Pooling", "pooling_param { kernel_size: 3 stride: 2 round_mode: FLOOR }",
                       (IMAGE,), ((2, 4, 2, 3),)),
    "pool_clipped": Case("Pooling", "pooling_param { kernel_size: 2 stride: 2 pad: 1 }",
                         ((1, 1, 5, 6),), ((1, 1, 3, 4),)),
    "pool_clips_unpadded_axis": Case("Pooling", "pooling_param { kernel_h: 3 kernel_w: 1 stride: 4 pad_h: 1 pad_w: 0 }",
                                     ((1, 1, 6, 6),), ((1, 1, 2, 2),)),
    "pool_unpadded_unclipped": Case("Pooling", "pooling_param { kernel_size: 1 stride: 4 }",
                                    ((1, 1, 6, 6),), ((1, 1, 3, 3),)),
    "pool_hw": Case("Pooling",
                    "pooling_param { pool: AVE kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 3 pad_h: 0 pad_w: 1 }",
                    (IMAGE,), ((2, 4, 5, 3),)),
    "pool_global": Case("Pooling", "pooling_param { pool: AVE global_pooling: true }", (IMAGE,), ((2, 4, 1, 1),)),
    "pool_mask": Case("Pooling", "pooling_param { kernel_size: 2 stride: 2 }", (IMAGE,), ((2, 4, 3, 4), (2, 4, 3, 4))),
    "spp": Case("SPP", "spp_param { pyramid_height: 3 }", (IMAGE,), ((2, 84),)),
    "spp_one_level": Case("SPP", "spp_param { pyramid_height: 1 }", (IMAGE,), ((2, 4, 1, 1),)),
    # of forks, by their sources
    "pool_floor_by_ceil_mode": Case("Pooling", "pooling_param { kernel_size: 3 stride: 2 ceil_mode: false }",
                                    (IMAGE,), ((2, 4, 2, 3),)),
    "pool_c3d": Case("Pooling3D", "pooling_param { kernel_size: 2 kernel_depth: 1 stride: 2 temporal_stride: 3 }",
                     (VOLUME,), ((1, 2, 2, 3, 3),)),
}  # fmt: skip
REFUSED = {
    "pool_without_kernel": Case("Pooling", "", (IMAGE,)),
    "pool_global_with_kernel": Case("Pooling", "pooling_param { global_pooling: true kernel_size: 2 }", (IMAGE,)),
    "pool_global_with_stride": Case("Pooling", "pooling_param { global_pooling: true stride: 2 }", (IMAGE,)),
    "pool_volume": Case("Pooling", "pooling_param { kernel_size: 2 }", (VOLUME,)),
    "pool_pad": Case("Pooling", "pooling_param { kernel_size: 2 pad: 2 }", (IMAGE,)),
    "pool_stochastic_pad": Case("Pooling", "pooling_param { pool: STOCHASTIC kernel_size: 2 pad: 1 }", (IMAGE,)),
    "spp_too_high": Case("SPP", "spp_param { pyramid_height: 5 }", (IMAGE,)),
    "spp_0": Case("SPP", "", (IMAGE,)),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED)


def _pooled_by_counting(size: int, kernel: int, stride: int, pad: int, ceil: bool) -> int:
    """Count the windows, one start after the other, as the definition of the layer has it."""
    starts = [-pad]
    while starts[-1] + kernel < size + pad:
        starts.append(starts[-1] + stride)
    if not ceil and starts[-1] + kernel > size + pad:
        starts.pop()
    if pad and starts[-1] >= size:
        starts.pop()
    return len(starts)


@pytest.mark.parametrize("rounding", ["CEIL", "FLOOR"])
def test_pooling_against_counted_windows(rounding: str) -> None:
    for size in range(3, 12):
        for kernel in range(1, 4):
            for stride in range(1, 5):
                for pad in range(kernel):
                    text = f"kernel_size: {kernel} stride: {stride} pad: {pad} round_mode: {rounding}"
                    case = Case("Pooling", f"pooling_param {{ {text} }}", ((1, 1, size, size),))
                    counted = _pooled_by_counting(size, kernel, stride, pad, rounding == "CEIL")
                    assert infer_top_shapes(case.param, case.bottoms)[0] == ((1, 1, counted, counted),), (size, text)
