"""Values that no layer makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "constant"]

ops: Any = None


def constant(x, values):
    """The same values whatever x is."""
    return ops.convert_to_tensor(values, dtype="float32")


CLASSES: Mapping[str, Callable[..., Any]] = {"Constant": constant}
