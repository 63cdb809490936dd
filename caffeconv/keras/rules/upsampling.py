"""The forks' layers that enlarge or resize images."""

from __future__ import annotations

from caffeconv.keras.rules.flattening import maps
from caffeconv.keras.rules.record import Rule

__all__ = ["ROWS"]


ROWS = {
    "Interp":    Rule(order=maps, channels="kept"),
    "UnPooling": Rule(order=maps),
    "Unpooling": Rule(order=maps),
    "Upsample":  Rule(order=maps, channels="kept"),
}  # fmt: skip
