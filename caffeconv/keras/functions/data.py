"""Values that no layer makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "WEIGHTED", "constant", "parameter"]

ops: Any = None


def constant(x, values):
    """The same values whatever x is."""
    return ops.convert_to_tensor(values, dtype="float32")


def parameter(x, value):
    """What was learned, whatever x is."""
    return value


CLASSES: Mapping[str, Callable[..., Any]] = {"Constant": constant}
WEIGHTED: Mapping[str, Callable[..., Any]] = {"Parameter": parameter}
