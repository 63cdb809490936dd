"""Layers whose meaning is a program of the user's."""

from __future__ import annotations

from tests.support.shape_cases import IMAGE, Case, shape_tests

CASES = {
    "python": Case("Python", "", (IMAGE,), (None,), None),
}  # fmt: skip

TestShapes = shape_tests(CASES)
