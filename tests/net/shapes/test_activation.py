"""Activations and other functions of single values: tops are as their bottoms."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, MATRIX, Case, shape_tests

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
    "Quantization": Case("Quantization", "", (IMAGE,), (IMAGE,), None),
}  # fmt: skip

TestShapes = shape_tests(CASES, over_unknown={"prelu": ((None,),)})
