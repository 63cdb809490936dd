"""The classes with weights of a model in Python (`python_classes`), as layers and operations of Keras' own.

Each function takes the operations, the name and the arrays of a node, its inputs, and the arguments of the class. One
layer of what it records bears the name of the node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from caffeconv.model import Weight
from caffeconv.writing.keras_operations import Operations, Tensor

__all__ = ["WITH_WEIGHTS", "as_tensors"]

Arrays = Mapping[str, Weight]


def _scaled(
    ops: Operations, name: str, x: Tensor, gamma: Weight | None, beta: Weight | None, axis: int
) -> Tensor:  # fmt: skip
    """x · gamma + beta, along an axis."""
    if gamma is None and beta is None:
        return x
    size = (gamma or beta).shape[-1]  # type: ignore[union-attr]
    kernel = gamma or Weight("gamma", np.broadcast_to(np.float32(1), (size,)), (size,))
    axes = "abcdefgh"[: len(x.shape)]
    equation, shape = f"{axes},{axes[axis]}->{axes}", [*x.shape[1:]]
    shape[axis if axis < 0 else axis - 1] = size
    bias = {"bias_axes": axes[axis]} if beta is not None else {}
    if beta is not None:  # Keras gives it the axes behind its own, too
        behind = [1] * (len(axes) - 1 - axes.index(axes[axis]))
        beta = Weight(beta.name, beta.view.reshape(size, *behind), (size, *behind))
    weights = [kernel, *([beta] if beta is not None else [])]
    return ops.layer("EinsumDense", x, [x.shape], name, weights, equation=equation, output_shape=shape, **bias)[0]


def _batch_statistics(
    ops: Operations, name: str, arrays: Arrays, inputs: Sequence[Tensor], epsilon: float, axis: int = -1, **_: Any
) -> Tensor:
    """Normalized by the mean and variance of each batch, though others are stored."""
    (x,) = inputs
    places = range(len(x.shape))
    axes = tuple(place for place in places if place != places[axis])
    centred = x - ops.mean(x, axis=axes, keepdims=True)
    variance = ops.mean(centred * centred, axis=axes, keepdims=True)
    normal = centred / ops.sqrt(variance + epsilon)
    return _scaled(ops, name, normal, arrays.get("gamma"), arrays.get("beta"), axis)


def _gates(ops: Operations, name: str, arrays: Arrays, inputs: Sequence[Tensor], static: bool) -> Tensor:
    """What the inputs give to the gates: (time, batch, features) -> (time, batch, units of all gates)."""
    kernel, bias = arrays["kernel"], arrays["bias"]
    x, features = inputs[0], inputs[0].shape[-1]
    whole = kernel.view.reshape(kernel.shape)
    first = whole[:features] if static else whole
    units = kernel.shape[1]
    weights = [Weight("kernel", first, first.shape), bias]
    (gates,) = ops.layer("Dense", x, [(*x.shape[:-1], units)], name, weights, units=units)
    if not static:
        return gates
    rest, still = whole[features:], inputs[2]
    weights = [Weight("kernel", rest, rest.shape)]
    shape = (still.shape[0], units)
    (more,) = ops.layer("Dense", still, [shape], f"{name}_static", weights, units=units, use_bias=False)
    return gates + more


def _recurrent_kernel(ops: Operations, name: str, arrays: Arrays, x: Tensor) -> Tensor:
    """The kernel, which every step multiplies with.

    A layer that is called by every step would do, too, but for Keras 3.0 and 3.3, which load none that is called again
    with what was made of its own outputs.
    """
    return _as_tensor(ops, f"{name}_recurrent", arrays["recurrent_kernel"], x)


def as_tensors(ops: Operations, name: str, weights: Sequence[Weight], x: Tensor) -> list[Tensor]:
    """The arrays of a node as tensors; the layer that holds the first bears its name. `x` is any tensor."""
    names = (name, *(f"{name}_{weight.name}" for weight in weights[1:]))
    return [_as_tensor(ops, each, weight, x) for each, weight in zip(names, weights, strict=True)]


def _as_tensor(ops: Operations, name: str, weight: Weight, x: Tensor) -> Tensor:
    """An array as all rows of a table, Keras having no other layer that gives its weights."""
    units = weight.shape[-1]
    rows = math.prod(weight.shape[:-1])
    table = Weight(weight.name, weight.view.reshape(rows, units), (rows, units))
    indices = ops.repeated(x, np.arange(rows, dtype=np.float32))
    (tensor,) = ops.layer("Embedding", indices, [table.shape], name, [table], input_dim=rows, output_dim=units)
    whole: Tensor = tensor if len(weight.shape) == 2 else ops.reshape(tensor, weight.shape)
    return whole


def _at(ops: Operations, x: Tensor, step: int) -> Tensor:
    """One step, (1, …)."""
    return ops.take(x, np.array([step], np.int32), axis=0)


def _marked_lstm(
    ops: Operations, name: str, arrays: Arrays, inputs: Sequence[Tensor], units: int, steps: int,
    static: bool = False, exposed: bool = False,
) -> list[Tensor]:  # fmt: skip
    """An LSTM over (time, batch, features) whose sequences begin where a mark is 0; gates i, f, c, o."""
    marks = ops.expand_dims(inputs[1], 2)
    hidden, cell = inputs[-2:] if exposed else (None, None)
    whole = _gates(ops, name, arrays, inputs, static)
    kernel = _recurrent_kernel(ops, name, arrays, whole)
    outputs = []
    for step in range(steps):
        gates, mark = _at(ops, whole, step), _at(ops, marks, step)
        if hidden is not None:
            gates = gates + ops.matmul(hidden * mark, kernel)
        into, forget, new, out = ops.split(gates, [units, 2 * units, 3 * units], axis=2)
        fresh = ops.sigmoid(into) * ops.tanh(new)
        cell = fresh if cell is None else ops.sigmoid(forget) * cell * mark + fresh
        hidden = ops.sigmoid(out) * ops.tanh(cell)
        outputs.append(hidden)
    top = ops.concatenate(outputs, axis=0)
    return [top, hidden, cell] if exposed and hidden is not None and cell is not None else [top]


def _marked_rnn(
    ops: Operations, name: str, arrays: Arrays, inputs: Sequence[Tensor], units: int, steps: int,
    static: bool = False, exposed: bool = False,
) -> list[Tensor]:  # fmt: skip
    """A simple RNN over (time, batch, features) whose sequences begin where a mark is 0."""
    marks = ops.expand_dims(inputs[1], 2)
    hidden = inputs[-1] if exposed else None
    whole = _gates(ops, name, arrays, inputs, static)
    kernel = _recurrent_kernel(ops, name, arrays, whole)
    outputs = []
    for step in range(steps):
        total = _at(ops, whole, step)
        if hidden is not None:
            total = total + ops.matmul(hidden * _at(ops, marks, step), kernel)
        hidden = ops.tanh(total)
        outputs.append(hidden)
    top = ops.concatenate(outputs, axis=0)
    return [top, hidden] if exposed and hidden is not None else [top]


WITH_WEIGHTS: Mapping[str, Callable[..., Any]] = {
    "BatchStatistics": _batch_statistics,
    "MarkedLSTM": _marked_lstm,
    "MarkedRNN": _marked_rnn,
}
"""Class -> what records it."""
