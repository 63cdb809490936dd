"""Normalizations: tops are as their bottoms."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, LABELS, MATRIX, VOLUME, Case, shape_tests

CASES = {
    # Caffe's own, compared with a running Caffe
    **{name: Case(name, "", (IMAGE,), (IMAGE,)) for name in ("LRN", "MVN")},
    "mvn_2d": Case("MVN", "", (MATRIX,), ((5, 3, 1, 1),)),
    "lrn_within": Case("LRN", "lrn_param { norm_region: WITHIN_CHANNEL local_size: 3 }", (IMAGE,), (IMAGE,)),
    "batch_norm": Case("BatchNorm", "", (IMAGE,), (IMAGE,), ((4,), (4,), (1,))),
    # of forks, by their sources
    **{name: Case(name, "", (IMAGE,), (IMAGE,), None) for name in ("BN", "LayerNorm", "SyncBN")},
    "moving_normalize": Case("MovingNormalize", "", (MATRIX,), (MATRIX, (1,)), None),
    "normalize": Case("Normalize", "norm_param { across_spatial: false channel_shared: false }",
                      (IMAGE,), (IMAGE,), ((4,),)),
    "normalize_shared": Case("Normalize", "norm_param { across_spatial: false }", (IMAGE,), (IMAGE,), ((),)),
    "normalize_without_weights": Case("Normalize", "", (IMAGE,), (IMAGE,), None),
}  # fmt: skip
REFUSED = {
    "lrn_rank": Case("LRN", "", (MATRIX,)),
    "lrn_even": Case("LRN", "lrn_param { local_size: 4 }", (IMAGE,)),
    "mvn_rank": Case("MVN", "", (VOLUME,)),
    "batch_norm_rank": Case("BatchNorm", "", (LABELS,)),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED, over_unknown={"batch_norm": ((None,), (None,), (1,))})
