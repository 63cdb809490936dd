"""Windows as channels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["CLASSES", "WEIGHTED", "im2col", "local"]

ops: Any = None


def im2col(x, kernel, strides, pads, dilations):
    """Every value under a window as a channel: channel · kernel + place in the kernel."""
    x = ops.pad(x, ((0, 0), *((before, after) for before, after in pads), (0, 0)))
    sizes, channels = x.shape[1:-1], x.shape[-1]
    places = list(itertools.product(*map(range, kernel)))
    columns = []
    for place in places:
        part = x
        for axis, at in enumerate(place):
            dilation, stride = dilations[axis], strides[axis]
            room = sizes[axis] - dilation * (kernel[axis] - 1) - 1
            taken = [at * dilation + step for step in range(0, room + 1, stride)]
            part = ops.take(part, ops.convert_to_tensor(taken), axis=axis + 1)
        columns.append(part)
    shape = (-1, *columns[0].shape[1:-1], channels * len(places))
    return ops.reshape(ops.stack(columns, axis=-1), shape)


def local(x, kernel, *bias, kernel_size, strides, pads):
    """A convolution that has weights of its own at each place (happynear's local_layer).

    `kernel` is (outputs, 1, channels · window, places), `bias` (1, 1, outputs, places).
    """
    columns = im2col(x, kernel_size, strides, pads, (1, 1))
    outputs, places = kernel.shape[0], kernel.shape[-1]
    kernel = ops.reshape(kernel, (outputs, columns.shape[-1], places))
    flat = ops.reshape(columns, (-1, places, columns.shape[-1]))
    sums = ops.einsum("npk,okp->npo", flat, kernel)
    if bias:
        offsets = ops.reshape(bias[0], (outputs, places))
        sums = sums + ops.transpose(offsets, (1, 0))
    return ops.reshape(sums, (-1, *columns.shape[1:-1], outputs))


CLASSES: Mapping[str, Callable[..., Any]] = {"Im2col": im2col}
WEIGHTED: Mapping[str, Callable[..., Any]] = {"Local": local}
