"""Layers whose meaning is a program of the user's or of a fork's."""

from __future__ import annotations

from tests.support import formula_cases

STORED = {
    "MultiStageMeanfield": dict.fromkeys(("spatial_weights", "bilateral_weights", "compatibility"), (1, 1, 3, 3)),
}

test_is_named_and_as_stored = formula_cases.is_named_and_as_stored(STORED)
