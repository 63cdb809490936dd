"""LSTM and RNN of Caffe, and the older Lstm of the OCR forks."""

from __future__ import annotations

import dataclasses

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.keras.rules.arrays import dense_kernel, gate_rows, vector
from caffeconv.keras.rules.flattening import same_axes
from caffeconv.keras.rules.operands import check_size, matrix, take
from caffeconv.keras.rules.record import Context, Parts, Rule
from caffeconv.keras.rules.wrapping import flattened_from, unknown_order
from caffeconv.model import Array, KerasCall, Layer, LayerWeights

__all__ = ["ROWS"]

_GATES = (0, 1, 3, 2)
"""Caffe's gates i, f, o, g in the order of Keras' i, f, c (= g), o."""

_TIME = "Caffe's sequences are (time, batch, …), Keras' (batch, time, …); `cont` = 0 starts a new sequence"
_STATIC = "the static input's columns follow those of x in the kernel: in Keras repeat it in time and concatenate"
_EXPOSED = "its first state comes in and its last goes out as blobs: initial_state and return_state in Keras"


def _lstm(layer: Layer, context: Context) -> Parts:
    """W_xc (4H, D), b_c (4H), [W_xc_static (4H, S),] W_hc (4H, H) (`lstm_layer.cpp`) -> kernel (D[+S], 4H),
    recurrent_kernel (H, 4H), bias (4H); gates i,f,o,g -> i,f,c,o.
    """
    inputs, bias, *static, recurrent = take(layer, 3, 4)
    return _assembled_lstm(layer, context, [matrix(array) for array in (inputs, *static)], bias, matrix(recurrent))


def _fork_lstm(layer: Layer, context: Context) -> Parts:
    """W_i (4H, I), W_h (4H, H), b (4H): junhyuk's Lstm, the same gates in another order of blobs."""
    inputs, recurrent, bias = take(layer, 3)
    return _assembled_lstm(layer, context, [matrix(inputs)], bias, matrix(recurrent))


def _assembled_lstm(layer: Layer, context: Context, inputs: list[Array], bias: Array, recurrent: Array) -> Parts:
    _check_rows(4 * recurrent.shape[1], bias, *inputs, recurrent)
    kernels = [gate_rows(array, _GATES) for array in inputs]
    gates = gate_rows(recurrent, _GATES)
    return _recurrent(layer, context, "LSTM", kernels, gates, gate_rows(bias.reshape(-1), _GATES))


def _rnn(layer: Layer, context: Context) -> Parts:
    """W_xh (H, D), b_h (H), [W_xh_static (H, S),] W_hh (H, H), W_ho (H, H), b_o (H) (`rnn_layer.cpp`)
    -> kernel (D[+S], H), recurrent_kernel (H, H), bias (H), and a Dense with tanh for the output part.
    """
    inputs, bias, *static, recurrent, output, output_bias = take(layer, 5, 6)
    inputs, recurrent, output = matrix(inputs), matrix(recurrent), matrix(output)
    kernels = [inputs, *map(matrix, static)]
    _check_rows(recurrent.shape[1], bias, *kernels, recurrent)
    _check_rows(output.shape[0], output_bias, output)
    parts = _recurrent(layer, context, "SimpleRNN", kernels, recurrent, bias)
    dense = LayerWeights(
        f"{layer.name}_output",
        layer.type,
        (layer.name,),
        (dense_kernel(output, False, ()), vector("bias", output_bias)),
        KerasCall("Dense", (("units", output.shape[0]), ("activation", "tanh"))),
    )
    note = f'the output part is a second Keras layer, "{dense.name}", behind it'
    return dataclasses.replace(parts, notes=(*parts.notes, note), extra=(dense,))


def _check_rows(rows: int, bias: Array, *matrices: Array) -> None:
    check_size("bias", bias, rows)
    for array in matrices:
        if array.shape[0] != rows:
            raise UnsupportedError(f"a matrix of shape {array.shape}, expected {rows} rows")


def _recurrent(layer: Layer, context: Context, name: str, inputs: list[Array], recurrent: Array, bias: Array) -> Parts:
    kernels = [
        dense_kernel(array, False, segments or ())
        for array, segments in zip(inputs, (context.segments, context.static), strict=False)
    ]
    kernel, notes = kernels[0], [_TIME]
    if len(kernels) > 1:
        kernel = dense_kernel(np.concatenate([each.array for each in kernels]), True, ())
        notes.append(_STATIC)
    if context.segments:
        notes.append(f"kernel rows reordered {flattened_from(context.segments)}")
    if len(kernels) > 1 and context.static:
        notes.append(f"kernel rows of the static input reordered {flattened_from(context.static)}")
    unknown = context.segments is None or (len(kernels) > 1 and context.static is None)
    warnings = (unknown_order(layer, "kernel is"),) if unknown else ()
    if layer.param.recurrent_param.expose_hidden:
        notes.append(_EXPOSED)
    arguments: list[tuple[str, object]] = [("units", recurrent.shape[1]), ("return_sequences", True)]
    if name == "LSTM":
        arguments.append(("recurrent_activation", "sigmoid"))
    weights = (kernel, dense_kernel(recurrent, False, (), "recurrent_kernel"), vector("bias", bias))
    return Parts(KerasCall(name, tuple(arguments)), weights, notes=tuple(notes), warnings=warnings)


_LSTM_WEIGHTS = "kernel, recurrent_kernel, bias"
_RNN_BLOBS = "W_xh, b_h, [W_xh_static,] W_hh, W_ho, b_o"
_RNN_WEIGHTS = f"{_LSTM_WEIGHTS}; kernel, bias"

ROWS = {
    "LSTM": Rule(
        "W_xc, b_c, [W_xc_static,] W_hc", "LSTM", _LSTM_WEIGHTS, _lstm, order=same_axes, along="steps"
    ),
    "LSTMUnit": Rule(order=same_axes),
    "RNN": Rule(_RNN_BLOBS, "SimpleRNN and Dense", _RNN_WEIGHTS, _rnn, order=same_axes, along="steps"),
    "ContinuationIndicator": Rule(),
    "Lstm": Rule("W_i, W_h, b", "LSTM", _LSTM_WEIGHTS, _fork_lstm, order=same_axes, along="steps"),
}  # fmt: skip
