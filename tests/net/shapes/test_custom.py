"""Layers whose meaning is a program of the user's."""

from __future__ import annotations

from tests.support import shape_cases
from tests.support.shape_cases import IMAGE, Case

CASES = {
    "python": Case("Python", "", (IMAGE,), (None,), None),
}  # fmt: skip

test_tops = shape_cases.tops_are_those_of_caffe(CASES)
test_blobs = shape_cases.blobs_are_those_of_caffe(CASES)
test_unknown_bottoms = shape_cases.unknown_bottoms_make_unknown_tops(CASES)
