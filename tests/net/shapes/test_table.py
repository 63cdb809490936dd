"""The table of shapes as a whole: every row has a case in the test of its family, and what all rows have in common."""

from __future__ import annotations

import pytest

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.net import shapes
from caffeconv.net.shapes import WEIGHTLESS, expected_blobs, infer_top_shapes
from caffeconv.net.shapes.expected import EXPECTED, UNCERTAIN
from caffeconv.net.shapes.table import TABLE
from tests.support.families import modules_by_family
from tests.support.shape_cases import IMAGE, Case

BY_FAMILY: dict[str, list[Case]] = {
    family: list(module.CASES.values()) for family, module in modules_by_family("tests.net.shapes").items()
}
CASES = [case for cases in BY_FAMILY.values() for case in cases]


def test_every_row_has_a_case() -> None:
    assert {case.type for case in CASES} == set(TABLE)
    assert {case.type for case in CASES if case.blobs} == set(EXPECTED)
    assert {case.type for case in CASES if case.blobs is None} - {"Normalize"} == UNCERTAIN


def test_a_type_is_tested_in_one_family() -> None:
    types = [name for cases in BY_FAMILY.values() for name in {case.type for case in cases}]
    assert len(types) == len(set(types))


def test_a_type_has_weights_or_none_or_is_uncertain() -> None:
    assert set(EXPECTED) | UNCERTAIN <= set(TABLE)
    assert not set(EXPECTED) & UNCERTAIN
    assert set(TABLE) - set(EXPECTED) - UNCERTAIN == WEIGHTLESS
    assert set(shapes.__all__) == {"WEIGHTLESS", "contradicts", "expected_blobs", "infer_top_shapes"}


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
