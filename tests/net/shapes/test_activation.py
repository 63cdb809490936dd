"""Activations and other functions of single values: tops are as their bottoms."""

from __future__ import annotations

from tests.support import shape_cases
from tests.support.shape_cases import IMAGE, MATRIX, Case

CASES = {
    # Caffe's own, compared with a running Caffe
    **{
        name: Case(name, "", (IMAGE,), (IMAGE,))
        for name in (
            "AbsVal", "BNLL", "Dropout", "ELU", "Exp", "Log", "Power", "ReLU", "Sigmoid", "Softmax", "Swish", "TanH",
            "Threshold",
        )
    },
    "Clip": Case("Clip", "clip_param { min: 0 max: 6 }", (IMAGE,), (IMAGE,)),
    "prelu": Case("PReLU", "", (IMAGE,), (IMAGE,), ((4,),)),
    "prelu_shared": Case("PReLU", "prelu_param { channel_shared: true }", (MATRIX,), (MATRIX,), ((),)),
    # of forks, by their sources
    **{
        name: Case(name, "", (IMAGE,), (IMAGE,))
        for name in ("DropoutChannel", "HardSigmoid", "HardSwish", "Insanity", "Mish", "RReLU", "ReLU6")
    },
    "FixedNeuron": Case("FixedNeuron", "", (IMAGE,), (IMAGE,), None),
}  # fmt: skip

test_tops = shape_cases.tops_are_those_of_caffe(CASES)
test_blobs = shape_cases.blobs_are_those_of_caffe(CASES)
test_unknown_bottoms = shape_cases.unknown_bottoms_make_unknown_tops(CASES)
test_unknown_sizes = shape_cases.unknown_bottoms_make_unknown_sizes_only(CASES)
test_blobs_over_unknown_bottoms = shape_cases.blobs_over_unknown_bottoms(CASES, {"prelu": ((None,),)})
