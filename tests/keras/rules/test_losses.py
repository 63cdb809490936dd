"""Losses that learn."""

from __future__ import annotations

from tests.support import formula_cases

STORED = {"CenterLoss": {"centers": (3, 5)}}

test_is_named_and_as_stored = formula_cases.is_named_and_as_stored(STORED)
