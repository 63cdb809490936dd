"""One step of a recurrent layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "lstm_unit"]

ops: Any = None


def lstm_unit(cell, gates, marks):
    """(1, N, H), (1, N, 4H), (1, N) -> the cell and the hidden state; gates i, f, o, g."""
    size = cell.shape[2]
    into, forget, out, new = ops.split(gates, [size, 2 * size, 3 * size], axis=2)
    kept = ops.expand_dims(marks, 2) * ops.sigmoid(forget) * cell
    cell = kept + ops.sigmoid(into) * ops.tanh(new)
    return [cell, ops.sigmoid(out) * ops.tanh(cell)]


CLASSES: Mapping[str, Callable[..., Any]] = {"LSTMUnit": lstm_unit}
