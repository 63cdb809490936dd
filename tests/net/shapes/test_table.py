"""Tops and parameter blobs of single layers, one or more for every row of the tables."""

from __future__ import annotations

import math

import pytest

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.net import shapes
from caffeconv.net.shapes import WEIGHTLESS, expected_blobs, infer_top_shapes
from caffeconv.net.shapes.expected import EXPECTED, UNCERTAIN
from caffeconv.net.shapes.table import TABLE, PartialRow
from tests.net.shapes.fork_cases import FORK_CASES
from tests.net.shapes.own_cases import OWN_CASES
from tests.net.shapes.refused_cases import REFUSED
from tests.support.shape_cases import IMAGE, Case

CASES = OWN_CASES | FORK_CASES


def _rows(cases: dict[str, Case]) -> list[object]:
    return [pytest.param(case, id=name) for name, case in cases.items()]


@pytest.mark.parametrize("case", _rows(CASES))
def test_tops_are_those_of_caffe(case: Case) -> None:
    tops, reason = infer_top_shapes(case.param, case.bottoms)
    assert tops == case.tops
    assert (reason is not None) == (None in case.tops and None not in case.bottoms)


@pytest.mark.parametrize("case", _rows(CASES))
def test_blobs_are_those_of_caffe(case: Case) -> None:
    assert expected_blobs(case.param, case.bottoms) == case.blobs


@pytest.mark.parametrize("case", _rows(REFUSED))
def test_contradictions_give_a_reason(case: Case) -> None:
    tops, reason = infer_top_shapes(case.param, case.bottoms)
    assert tops == case.tops
    assert set(tops) == {None}
    assert reason
    assert "\n" not in reason
    assert reason != TABLE[case.type].unknown


@pytest.mark.parametrize("case", _rows(CASES))
def test_unknown_bottoms_make_unknown_tops(case: Case) -> None:
    tops, reason = infer_top_shapes(case.param, (None,) * len(case.bottoms))
    assert len(tops) == len(case.tops)
    if case.bottoms and None not in case.bottoms:
        assert reason is None
        if not isinstance(TABLE[case.type], PartialRow):
            assert set(tops) <= {None}


@pytest.mark.parametrize("case", _rows({name: case for name, case in CASES.items() if case.blobs}))
def test_unknown_bottoms_make_unknown_sizes_only(case: Case) -> None:
    unknown = expected_blobs(case.param, (None,) * len(case.bottoms))
    assert case.blobs is not None
    if unknown is None or (case.type.startswith(("Conv", "Deconv")) and len(case.bottoms[0] or ()) != 4):
        return  # the number of axes depends on the bottom
    assert [len(blob) for blob in unknown] == [len(blob) for blob in case.blobs]
    for blob, known in zip(unknown, case.blobs, strict=True):
        assert all(size in (None, whole) for size, whole in zip(blob, known, strict=True))


@pytest.mark.parametrize(
    ("case", "blobs"),
    [
        pytest.param(CASES["conv"], ((6, None, 3, 3), (6,)), id="conv"),
        pytest.param(CASES["conv_hw"], ((1, None, 3, 1), (1,)), id="conv_hw"),
        pytest.param(CASES["conv_3d"], ((3, None, 2, 2, 2), (3,)), id="conv_3d_by_its_strides"),
        pytest.param(CASES["deconv"], ((None, 3, 4, 4), (6,)), id="deconv"),
        pytest.param(CASES["ip"], ((7, None), (7,)), id="ip"),
        pytest.param(CASES["ip_axis_transposed"], ((None, 7),), id="ip_transposed"),
        pytest.param(CASES["batch_norm"], ((None,), (None,), (1,)), id="batch_norm"),
        pytest.param(CASES["scale"], ((None,), (None,)), id="scale"),
        pytest.param(CASES["scale_to_end"], ((None, None), (None, None)), id="scale_to_end"),
        pytest.param(CASES["bias"], None, id="bias_of_unknown_rank"),
        pytest.param(CASES["scale_two_bottoms"], None, id="offsets_of_unknown_rank"),
        pytest.param(CASES["prelu"], ((None,),), id="prelu"),
        pytest.param(CASES["embed"], ((9, 4), (4,)), id="embed"),
        pytest.param(CASES["lstm_static"], ((20, None), (20,), (20, None), (20, 5)), id="lstm_static"),
        pytest.param(CASES["parameter"], ((3, 2),), id="parameter"),
        pytest.param(CASES["depthwise_plain"], ((None, 1, 3, 3),), id="depthwise"),
    ],
)
def test_blobs_over_unknown_bottoms(case: Case, blobs: object) -> None:
    assert expected_blobs(case.param, (None,) * len(case.bottoms)) == blobs


@pytest.mark.parametrize(
    ("type_name", "tops"),
    [
        pytest.param("SoftmaxWithLoss", ((), None), id="loss"),
        pytest.param("Accuracy", ((), None), id="accuracy"),
        pytest.param("EuclideanLoss", ((),), id="euclidean"),
    ],
)
def test_scalars_are_known_without_bottoms(type_name: str, tops: object) -> None:
    param = LayerParameter(type=type_name, bottom=["x", "y"], top=["a", "b"][: len(tops)])  # type: ignore[arg-type]
    assert infer_top_shapes(param, (None, None)) == (tops, None)


def test_unknown_type() -> None:
    param = LayerParameter(type="Frobnicate", bottom=["x"], top=["y", "z"])
    tops, reason = infer_top_shapes(param, (IMAGE,))
    assert tops == (None, None)
    assert reason is not None
    assert '"Frobnicate"' in reason
    assert expected_blobs(param, (IMAGE,)) is None


@pytest.mark.parametrize("type_name", [name for name, row in TABLE.items() if row.bottoms])
def test_missing_bottoms(type_name: str) -> None:
    param = LayerParameter(type=type_name, top=["y"])
    tops, reason = infer_top_shapes(param, ())
    assert tops == (None,)
    assert reason is not None
    assert "bottoms" in reason
    assert expected_blobs(param, ()) in ((), None)


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


def test_rearranging_keeps_the_number_of_elements() -> None:
    for name in (
        "flatten",
        "flatten_axes",
        "flatten_nothing",
        "reshape",
        "reorg",
        "transpose",
        "permute",
    ):
        case = CASES[name]
        (bottom,), (top,) = case.bottoms, infer_top_shapes(case.param, case.bottoms)[0]
        assert bottom is not None
        assert top is not None
        assert math.prod(bottom) == math.prod(top)


def test_every_row_has_a_case() -> None:
    assert {case.type for case in CASES.values()} == set(TABLE)
    assert {case.type for case in CASES.values() if case.blobs} == set(EXPECTED)
    assert {case.type for case in CASES.values() if case.blobs is None} - {"Normalize"} == UNCERTAIN


def test_a_type_has_weights_or_none_or_is_uncertain() -> None:
    assert set(EXPECTED) | UNCERTAIN <= set(TABLE)
    assert not set(EXPECTED) & UNCERTAIN
    assert set(TABLE) - set(EXPECTED) - UNCERTAIN == WEIGHTLESS
    assert set(shapes.__all__) == {"WEIGHTLESS", "contradicts", "expected_blobs", "infer_top_shapes"}
