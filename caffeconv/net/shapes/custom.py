"""Layers whose shapes no parameter tells."""

from __future__ import annotations

from caffeconv.net.shapes.row import NOT_KNOWN, Row, nothing

__all__ = ["ROWS"]

ROWS = {
    "Python":              Row(0, nothing, unknown="what a Python layer makes is written in its class"),
    "MultiStageMeanfield": NOT_KNOWN,
}  # fmt: skip
