"""Layers with the shapes that Caffe gives their tops and parameter blobs, and the tests that each family makes of them.

    TestShapes = shape_tests(CASES, REFUSED)

Names of cases are the ids of tests. What is not compared with a running Caffe is by the source of the fork that has it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest
from google.protobuf import text_format

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.catalogue import LAYER_TYPES
from caffeconv.net.shapes import expected_blobs, infer_top_shapes
from caffeconv.net.shapes.table import TABLE

if TYPE_CHECKING:
    from caffeconv.model import MaybeShape, PartialShape

__all__ = [
    "CONT", "IMAGE", "LABELS", "MATRIX", "SEQUENCE", "VOLUME", "Case", "shape_tests",
]  # fmt: skip

IMAGE = (2, 4, 6, 8)
"""Its two sides cannot be confused."""
MATRIX = (5, 3)
VOLUME = (1, 2, 4, 5, 6)
LABELS = (5,)
SEQUENCE = (7, 2, 3)
CONT = (7, 2)


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer: its type, the text of its parameter, its bottoms; its tops and blobs, `None` for what is not known.

    A top of which nothing is known is `None` as a whole.
    """

    type: str
    text: str = ""
    bottoms: tuple[MaybeShape, ...] = ()
    tops: tuple[MaybeShape, ...] = (None,)
    blobs: tuple[PartialShape, ...] | None = ()

    @property
    def param(self) -> LayerParameter:
        param = text_format.Parse(self.text, LayerParameter(name="layer", type=self.type))
        param.bottom.extend(f"b{index}" for index in range(len(self.bottoms)))
        param.top.extend(f"t{index}" for index in range(len(self.tops)))
        return param


Cases = Mapping[str, Case]
Test = Callable[..., None]


def _is_whole(shape: MaybeShape) -> bool:
    return shape is not None and None not in shape


def _of_each(cases: Cases) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in cases.items()])


def _tops_are_those_of_caffe(cases: Cases) -> Test:
    @_of_each(cases)
    def test(case: Case) -> None:
        tops, reason, _ = infer_top_shapes(case.param, case.bottoms)
        assert tops == case.tops
        missing = not all(map(_is_whole, case.tops)) and all(map(_is_whole, case.bottoms))
        assert (reason is not None) == missing

    return test


def _blobs_are_those_of_caffe(cases: Cases) -> Test:
    @_of_each(cases)
    def test(case: Case) -> None:
        assert expected_blobs(case.param, case.bottoms) == case.blobs

    return test


def _contradictions_give_a_reason(cases: Cases) -> Test:
    """Of layers that contradict themselves or their bottoms, so that Caffe refuses the net."""

    @_of_each(cases)
    def test(case: Case) -> None:
        tops, reason, refused = infer_top_shapes(case.param, case.bottoms)
        assert tops == case.tops
        assert set(tops) == {None}
        assert reason
        assert "\n" not in reason
        assert reason != TABLE[case.type].unknown
        assert refused

    return test


def _unknown_bottoms_make_unknown_tops(cases: Cases, expected: Mapping[str, tuple[MaybeShape, ...]]) -> Test:
    """`expected`, by the name of a case, is what the parameter alone tells; all other tops are not known at all."""

    @pytest.mark.parametrize("name", cases)
    def test(name: str) -> None:
        case = cases[name]
        tops, reason, refused = infer_top_shapes(case.param, (None,) * len(case.bottoms))
        assert len(tops) == len(case.tops)
        if name in expected:
            assert tops == expected[name]
        if case.bottoms and None not in case.bottoms:
            assert reason is None
            assert not refused
            if name not in expected and LAYER_TYPES[case.type].family not in ("data", "losses"):
                assert set(tops) <= {None}

    return test


def _unknown_bottoms_make_unknown_sizes_only(cases: Cases) -> Test:
    """Of the cases that have blobs."""

    @_of_each({name: case for name, case in cases.items() if case.blobs})
    def test(case: Case) -> None:
        unknown = expected_blobs(case.param, (None,) * len(case.bottoms))
        assert case.blobs is not None
        if unknown is None or (case.type.startswith(("Conv", "Deconv")) and len(case.bottoms[0] or ()) != 4):
            return  # the number of axes depends on the bottom
        assert [len(blob) for blob in unknown] == [len(blob) for blob in case.blobs]
        for blob, known in zip(unknown, case.blobs, strict=True):
            assert all(size in (None, whole) for size, whole in zip(blob, known, strict=True))

    return test


def _blobs_over_unknown_bottoms(cases: Cases, expected: Mapping[str, tuple[PartialShape, ...] | None]) -> Test:
    """`expected` by the name of a case; `None` where not even the number of axes is known."""

    @pytest.mark.parametrize("name", expected)
    def test(name: str) -> None:
        case = cases[name]
        assert expected_blobs(case.param, (None,) * len(case.bottoms)) == expected[name]

    return test


def shape_tests(
    cases: Cases,
    refused: Cases | None = None,
    over_unknown: Mapping[str, tuple[PartialShape, ...] | None] | None = None,
    tops_over_unknown: Mapping[str, tuple[MaybeShape, ...]] | None = None,
) -> type:
    """What a family's test module makes of its cases, and of its layers that Caffe refuses.

    `over_unknown`: name of a case -> the blobs that are expected where nothing is known of the bottoms;
    `tops_over_unknown`: the tops.
    """
    assert set(tops_over_unknown or ()) <= set(cases)
    tests = {
        "test_tops": _tops_are_those_of_caffe(cases),
        "test_blobs": _blobs_are_those_of_caffe(cases),
        "test_unknown_bottoms": _unknown_bottoms_make_unknown_tops(cases, tops_over_unknown or {}),
    }
    if any(case.blobs for case in cases.values()):
        tests["test_unknown_sizes"] = _unknown_bottoms_make_unknown_sizes_only(cases)
        tests["test_blobs_over_unknown_bottoms"] = _blobs_over_unknown_bottoms(cases, over_unknown or {})
    if refused:
        tests["test_contradictions"] = _contradictions_give_a_reason(refused)
    return type("TestShapes", (), {name: staticmethod(test) for name, test in tests.items()})
