"""LSTM and RNN of Caffe, and the older Lstm of the OCR forks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from caffeconv.errors import UnsupportedError
from caffeconv.keras.building import Site, product, target
from caffeconv.keras.graph import Edge, Held, Value, is_reordered
from caffeconv.keras.rules.arrays import dense_kernel, gate_rows, vector
from caffeconv.keras.rules.learning import as_given
from caffeconv.keras.rules.operands import check_size, matrix, take
from caffeconv.keras.rules.record import Context, Parts, Rule
from caffeconv.keras.rules.segments import segments_of, static_segments
from caffeconv.keras.rules.wrapping import flattened_from, unknown_order
from caffeconv.model import Array, KerasCall, Layer, LayerWeights
from caffeconv.net.shapes.params import optional

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


def _sequence(site: Site, value: Value) -> Value:
    """(T, N, …) with the axes of each step as one, the channels last among them."""
    value = site.brought(value, "axes", part="glue")
    shape = value.held.shape
    if shape is None or len(shape) < 4 or value.held.layout == "unknown":
        return value
    edge, rank, step = value.edge, len(shape), shape[2:]
    if is_reordered(step):
        edge = site.call("Permute", edge, part="glue", name="permute", dims=(1, *range(3, rank), 2))
    sizes = (shape[1], product(step))
    edge = site.call("Reshape", edge, part="glue", name="steps", target_shape=target(sizes))
    return Value(edge, Held("axes", (shape[0], *sizes)))


def _recur(site: Site) -> Sequence[Value]:
    """x, and what else Caffe's layer takes: marks of new sequences, a static input, first states."""
    rule = ROWS[site.layer.type]
    if rule.convert is None or not site.layer.blobs:
        raise UnsupportedError("its weights are missing")
    first = as_given(site, site.inputs[0], rule)
    segments = segments_of(site.layer, "steps", first.held)
    states = (2 if site.layer.type == "LSTM" else 1) * site.layer.param.recurrent_param.expose_hidden
    has_static = len(site.inputs) > 2 + states
    static = static_segments(site.inputs[2].held) if has_static else ()
    if site.options.flatten_order == "chw":
        segments = static = ()
    parts = rule.convert(site.layer, Context(segments, first.held, static=static))
    others = list(site.inputs[1:])
    if has_static:
        others[1] = site.flattened(others[1], part="glue")
    edges = (_sequence(site, site.inputs[0]).edge, *(value.edge for value in others))
    for text in parts.notes:
        site.note(text)
    for text in parts.warnings:
        site.warn(text)
    edge = _marked(site, parts, edges, has_static, 1 + states) if len(edges) > 1 else _unmarked(site, parts, edges[0])
    top = Value(edge, Held("axes", site.top()))
    for extra in parts.extra:
        name = extra.name.removeprefix(f"{site.layer.name}_")
        top = Value(site.add(extra.keras, (top.edge,), weights=extra.weights, name=name), top.held)
    exposed = (Value(Edge(edge.node, number), Held("axes", site.top(number))) for number in range(1, 1 + states))
    return (top, *exposed)


def _marked(site: Site, parts: Parts, edges: Sequence[Edge], has_static: bool, outputs: int) -> Edge:
    """Caffe's own layers, in a class of ours that takes their marks step by step."""
    shape = site.inputs[0].held.shape
    steps = shape[0] if shape is not None else None
    settings = (
        ("units", parts.weights[1].shape[0]),
        ("steps", steps),
        ("static", has_static),
        ("exposed", outputs > 1),
    )
    built = KerasCall("MarkedRNN" if site.layer.type == "RNN" else "MarkedLSTM", settings)
    problem = "the length of its sequences is not known" if steps is None else None
    return site.add(parts.keras, edges, weights=parts.weights, outputs=outputs, problem=problem, built=built)


def _unmarked(site: Site, parts: Parts, edge: Edge) -> Edge:
    """The older Lstm of the OCR forks, whose sequences are whole: Keras' own, with the batch before the time."""
    edge = site.call("TransposeAll", edge, part="glue", name="batch_first", axes=(1, 0, 2))
    edge = site.add(parts.keras, (edge,), weights=parts.weights)
    return site.call("TransposeAll", edge, part="glue", name="time_first", axes=(1, 0, 2))


def _marks(site: Site) -> Sequence[Value]:
    """CRNN's ContinuationIndicator: a sequence begins with the first step, in each item of the batch."""
    settings = optional(site.layer.param, "continuation_indicator_param")
    if settings is None or not settings.time_step or not settings.batch_size:
        return site.unsupported("time_step and batch_size are not given")
    if site.inputs:
        return site.unsupported("a fork lets its bottom say which sequences go on: make its marks an input of the net")
    if not site.growing.inputs:
        return site.unsupported("no input of the net stands before it: move it behind one")
    first = 1.0 if optional(settings, "flag") else 0.0
    rows = ((first,) * settings.batch_size, *((1.0,) * settings.batch_size,) * (settings.time_step - 1))
    return (Value(site.call("Constant", site.growing.inputs[0].edge, values=rows), Held("axes", site.top())),)


def _lstm_unit(site: Site) -> Sequence[Value]:
    edge = site.call("LSTMUnit", *(value.edge for value in site.inputs[:3]), outputs=2)
    return tuple(Value(Edge(edge.node, number), Held("axes", site.top(number))) for number in range(2))


_LSTM_WEIGHTS = "kernel, recurrent_kernel, bias"
_RNN_BLOBS = "W_xh, b_h, [W_xh_static,] W_hh, W_ho, b_o"
_RNN_WEIGHTS = f"{_LSTM_WEIGHTS}; kernel, bias"

ROWS = {
    "LSTM": Rule(
        "W_xc, b_c, [W_xc_static,] W_hc", "LSTM", _LSTM_WEIGHTS, _lstm, build=_recur, along="steps"
    ),
    "LSTMUnit": Rule(build=_lstm_unit),
    "RNN": Rule(_RNN_BLOBS, "SimpleRNN and Dense", _RNN_WEIGHTS, _rnn, build=_recur, along="steps"),
    "ContinuationIndicator": Rule(build=_marks),
    "Lstm": Rule("W_i, W_h, b", "LSTM", _LSTM_WEIGHTS, _fork_lstm, build=_recur, along="steps"),
}  # fmt: skip
