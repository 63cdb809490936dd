"""Runs the copy engine on one kind of array, a number of times, for its instructions to be counted.

    python copy_engine.py CASE TIMES

CASE is one of CASES; nothing is written anywhere. Run it with two values of TIMES under callgrind or perf: the
difference is the engine's alone, without the start of Python.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from caffeconv.writing.tiles import copy_pieces

__all__ = ["CASES", "VALUES"]

VALUES = 2**20
"""How many values every case copies."""


def _kernels(size: int) -> npt.NDArray[np.float32]:
    outputs, inputs = 256, VALUES // 256 // size**2
    return np.zeros((outputs, inputs, size, size), np.float32).transpose(2, 3, 1, 0)


CASES: Mapping[str, npt.NDArray[Any]] = {
    "as stored": np.zeros(VALUES, np.float32),
    "fc": np.zeros((512, VALUES // 512), np.float32).T,
    "fc behind feature maps": np.zeros((512, VALUES // 512 // 64, 8, 8), np.float32).transpose(2, 3, 1, 0),
    "1×1 kernels": _kernels(1),
    "2×2 kernels": _kernels(2),
    "4×4 kernels": _kernels(4),
    "fc of float64": np.zeros((512, VALUES // 512), np.float64).T,
    "fc of float16": np.zeros((512, VALUES // 512), np.float16).T,
}
"""Views of arrays in Caffe's layout, of VALUES values each."""


if __name__ == "__main__":
    view = CASES[sys.argv[1]]
    for _ in range(int(sys.argv[2])):
        copy_pieces([(view, 0)], lambda offset, data: None)
