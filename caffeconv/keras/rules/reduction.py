"""What makes one value of many."""

from __future__ import annotations

from collections.abc import Sequence

from caffeconv.keras.rules.flattening import SAME, SPATIAL, MaybeOrder
from caffeconv.keras.rules.record import Rule
from caffeconv.model import Layer

__all__ = ["ROWS"]


def _reduced(layer: Layer, orders: Sequence[MaybeOrder], _: int) -> MaybeOrder:
    """All axes from one on are gone: what is left of a flat blob has no flat axis, of maps perhaps no pixels."""
    order, shape = orders[0] if orders else None, layer.top_shapes[0]
    if order is None or shape is None:
        return None
    return SPATIAL if order.kind == "spatial" and len(shape) > 2 else SAME


ROWS = {
    "ArgMax":      Rule(),
    "Reduction":   Rule(order=_reduced),
    "ParseOutput": Rule(),
}  # fmt: skip
