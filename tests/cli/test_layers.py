"""`caffeconv layers`."""

from __future__ import annotations

from caffeconv.keras.rules.table import WEIGHTED
from tests.support.command import caffeconv


def test_every_rule_is_listed() -> None:
    outcome = caffeconv("layers")
    assert (outcome.status, outcome.err) == (0, "")
    listed = {line.split()[0] for line in outcome.out.splitlines() if line.strip()}
    assert set(WEIGHTED) <= listed
