"""The table of shapes as a whole: every row has a case in the test of its family, and what all rows have in common."""

from __future__ import annotations

import pytest

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.catalogue import LAYER_TYPES
from caffeconv.net.shapes import expected_blobs, infer_top_shapes
from caffeconv.net.shapes.table import TABLE
from tests.support.families import modules_by_family
from tests.support.shape_cases import IMAGE, Case

BY_FAMILY: dict[str, list[Case]] = {
    family: list(module.CASES.values()) for family, module in modules_by_family("tests.net.shapes").items()
}
CASES = [case for cases in BY_FAMILY.values() for case in cases]


KNOWN = {name for name, row in TABLE.items() if row.tops is not None}
CERTAIN = {name for name, row in TABLE.items() if row.blobs is not None}
UNCERTAIN = {name for name in KNOWN if LAYER_TYPES[name].blobs in ("some", "uncertain")}


def test_every_row_has_a_case() -> None:
    assert {case.type for case in CASES} == KNOWN
    assert {case.type for case in CASES if case.blobs} == CERTAIN
    assert {case.type for case in CASES if case.blobs is None} - {"Normalize"} == UNCERTAIN


def test_a_type_is_tested_in_one_family() -> None:
    types = [name for cases in BY_FAMILY.values() for name in {case.type for case in cases}]
    assert len(types) == len(set(types))


@pytest.mark.parametrize("type_name", TABLE)
def test_a_type_has_weights_or_none_or_is_uncertain(type_name: str) -> None:
    """Without its parameter nothing is told of the blobs of a type that has some, but that there are some."""
    blobs = LAYER_TYPES[type_name].blobs
    told = expected_blobs(LayerParameter(type=type_name), (IMAGE,) * max(TABLE[type_name].bottoms, 1))
    assert (told == ()) == (blobs == "none")
    assert blobs not in ("some", "uncertain") or told is None


def test_unknown_type() -> None:
    param = LayerParameter(type="Frobnicate", bottom=["x"], top=["y", "z"])
    tops, reason, _ = infer_top_shapes(param, (IMAGE,))
    assert tops == (None, None)
    assert reason is not None
    assert '"Frobnicate"' in reason
    assert expected_blobs(param, (IMAGE,)) is None


@pytest.mark.parametrize("type_name", [name for name, row in TABLE.items() if row.bottoms])
def test_missing_bottoms(type_name: str) -> None:
    param = LayerParameter(type=type_name, top=["y"])
    tops, reason, _ = infer_top_shapes(param, ())
    assert tops == (None,)
    assert reason is not None
    assert "bottoms" in reason
    assert expected_blobs(param, ()) in ((), None)
