"""Layers that no parameter describes."""

from __future__ import annotations

from caffeconv.keras.rules.record import Rule
from caffeconv.keras.rules.wrapping import stored

__all__ = ["ROWS"]

_MEANFIELD = ("spatial_weights", "bilateral_weights", "compatibility")

ROWS = {
    "Python": Rule(),
    "MultiStageMeanfield": Rule(", ".join(_MEANFIELD), "none, as stored", ", ".join(_MEANFIELD), stored(*_MEANFIELD)),
}  # fmt: skip
