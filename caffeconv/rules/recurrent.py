"""LSTM and RNN of Caffe, and the older Lstm of the OCR forks."""

from __future__ import annotations

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.model import Array, KerasCall, Layer, LayerWeights
from caffeconv.rules.arrays import dense_kernel, gate_rows, vector
from caffeconv.rules.record import Context, Parts

__all__ = ["fork_lstm", "lstm", "rnn"]

_GATES = (0, 1, 3, 2)
"""Caffe's gates i, f, o, g in the order of Keras' i, f, c (= g), o."""

_TIME = "Caffe's sequences are (time, batch, …), Keras' (batch, time, …); `cont` = 0 starts a new sequence"
_STATIC = "the static input's columns follow those of x in the kernel: in Keras repeat it in time and concatenate"
_EXPOSED = "its first state comes in and its last goes out as blobs: initial_state and return_state in Keras"


def lstm(layer: Layer, context: Context) -> Parts:
    """W_xc (4H, D), b_c (4H), [W_xc_static (4H, S),] W_hc (4H, H) (`lstm_layer.cpp`) -> kernel (D[+S], 4H),
    recurrent_kernel (H, 4H), bias (4H); gates i,f,o,g -> i,f,c,o.
    """
    inputs, bias, recurrent = _split(layer, [blob.array for blob in layer.blobs], 3)
    return _lstm(layer, context, inputs, bias, recurrent)


def fork_lstm(layer: Layer, context: Context) -> Parts:
    """W_i (4H, I), W_h (4H, H), b (4H): junhyuk's Lstm, the same gates in another order of blobs."""
    blobs = [blob.array for blob in layer.blobs]
    if len(blobs) != 3:
        raise UnsupportedError(f"{len(blobs)} blobs, expected 3")
    inputs, recurrent, bias = blobs
    return _lstm(layer, context, [_two(inputs)], bias, _two(recurrent))


def _lstm(layer: Layer, context: Context, inputs: list[Array], bias: Array, recurrent: Array) -> Parts:
    kernels = [gate_rows(matrix, _GATES) for matrix in inputs]
    return _recurrent(
        layer,
        context,
        "LSTM",
        recurrent.shape[1],
        kernels,
        gate_rows(recurrent, _GATES),
        gate_rows(bias.reshape(-1), _GATES),
    )


def rnn(layer: Layer, context: Context) -> Parts:
    """W_xh (H, D), b_h (H), [W_xh_static (H, S),] W_hh (H, H), W_ho (H, H), b_o (H) (`rnn_layer.cpp`)
    -> kernel (D[+S], H), recurrent_kernel (H, H), bias (H), and a Dense with tanh for the output part.
    """
    *blobs, output, output_bias = [blob.array for blob in layer.blobs]
    inputs, bias, recurrent = _split(layer, blobs, 3)
    parts = _recurrent(layer, context, "SimpleRNN", recurrent.shape[0], inputs, recurrent, bias.reshape(-1))
    dense = LayerWeights(
        f"{layer.name}_output",
        layer.type,
        (layer.name,),
        (dense_kernel(output, False, ()), vector("bias", output_bias)),
        KerasCall("Dense", (("units", output.shape[0]), ("activation", "tanh"))),
    )
    note = f'the output part is a second Keras layer, "{dense.name}", behind it'
    return Parts(parts.keras, parts.weights, parts.before, notes=(*parts.notes, note), extra=(dense,))


def _split(layer: Layer, blobs: list[Array], plain: int) -> tuple[list[Array], Array, Array]:
    """Input matrices, bias and recurrent matrix; one more blob than `plain` is that of a static input."""
    if len(blobs) not in (plain, plain + 1):
        raise UnsupportedError(f"{len(layer.blobs)} blobs, which is no known form of {layer.type}")
    first, bias, *static, recurrent = blobs
    return [_two(first), *map(_two, static)], bias, _two(recurrent)


def _two(blob: Array) -> Array:
    return blob.reshape(blob.shape[-2:]) if blob.ndim > 2 else blob


def _recurrent(
    layer: Layer, context: Context, name: str, units: int, inputs: list[Array], recurrent: Array, bias: Array
) -> Parts:
    segments = context.segments or ()
    kernel = dense_kernel(inputs[0], False, segments)
    notes = [_TIME]
    if len(inputs) > 1:
        both = np.concatenate([kernel.array, *(dense_kernel(matrix, False, ()).array for matrix in inputs[1:])])
        kernel = dense_kernel(both, True, ())
        notes.append(_STATIC)
    if segments:
        notes.append(f"kernel rows reordered to channels-last for a sequence of maps {segments[0]}")
    if layer.param.recurrent_param.expose_hidden:
        notes.append(_EXPOSED)
    arguments: list[tuple[str, object]] = [("units", units), ("return_sequences", True)]
    if name == "LSTM":
        arguments.append(("recurrent_activation", "sigmoid"))
    weights = (kernel, dense_kernel(recurrent, False, (), "recurrent_kernel"), vector("bias", bias))
    return Parts(KerasCall(name, tuple(arguments)), weights, notes=tuple(notes))
