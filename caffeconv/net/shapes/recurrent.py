"""Recurrent layers: output shapes and parameter blobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.model import Shape
from caffeconv.net.shapes.axes import agree, merged_sizes, require_rank
from caffeconv.net.shapes.params import optional, required
from caffeconv.net.shapes.row import MaybeShapes, Row, Shapes, of_known
from caffeconv.net.shapes.sizes import count_from

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from caffe_proto.caffe_pb2 import LayerParameter

__all__ = ["ROWS"]


def _lstm(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`LSTM`: (T, N, H); with `expose_hidden` also the last hidden and cell state, (1, N, H) each."""
    return _recurrent(param, bottoms, states=2)


def _rnn(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`RNN`: (T, N, H); with `expose_hidden` also the last hidden state, (1, N, H)."""
    return _recurrent(param, bottoms, states=1)


def _recurrent(param: LayerParameter, bottoms: Shapes, states: int) -> Shapes:
    """Bottoms are x (T, N, …), cont (T, N), perhaps a static input (N, …), and the exposed states' first values."""
    settings = param.recurrent_param
    _require_plain(settings)
    inputs, continuation = bottoms[:2]
    if len(inputs) < 3:
        raise ValueError(f"the bottom has {len(inputs)} axes, expected 3 or more")
    if not agree(continuation, inputs[:2]):
        raise ValueError(f"continuation indicators of shape {continuation} for a sequence of shape {inputs}")
    length, streams = merged_sizes((continuation, inputs[:2]))
    top = (length, streams, settings.num_output)
    return (top, *[(1, *top[1:])] * states) if settings.expose_hidden else (top,)


def _require_plain(settings: Message) -> None:
    """Check that a recurrent layer is none of a fork's bidirectional, stacked or batch-first ones."""
    for name, plain in (("bidirectional", False), ("num_layers", 1), ("batch_first", False)):
        if optional(settings, name) not in (None, plain):
            raise ValueError(f"{name} is an option of a fork, whose layout is not known")


def _lstm_unit(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """`LSTMUnit`: the new cell and hidden state, each like the cell state (1, N, H) in bottom 0."""
    cell, gates = bottoms[:2]
    require_rank(cell, 3)
    if cell[0] != 1 or not agree(gates, (*cell[:2], 4 * cell[2])):
        raise ValueError(f"gates of shape {gates} for a cell state of shape {cell}")
    return cell, cell


def _lstm_of_sequences(param: LayerParameter, bottoms: Shapes) -> Shapes:
    """The forks' `Lstm`: (T, N, …) to (T, N, H) where time and batch are two axes, (T·N, …) to (T·N, H) where one."""
    settings = required(param, "lstm_param")
    _require_plain(settings)
    shape = bottoms[0]
    return ((*shape[: 2 if len(shape) == 3 else 1], required(settings, "num_output")),)


def _continuation_indicator(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """CRNN's `ContinuationIndicator`: (T, N)."""
    settings = required(param, "continuation_indicator_param")
    return ((required(settings, "time_step"), required(settings, "batch_size")),)


def _lstm_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """W_xc (4H, D), b_c (4H), with a static input W_xc_static (4H, Ds), W_hc (4H, H). `lstm_layer.cpp`."""
    hidden = param.recurrent_param.num_output
    inputs, static = _recurrent_inputs(param, bottoms, states=2)
    statics = tuple((4 * hidden, size) for size in static)
    return (4 * hidden, inputs), (4 * hidden,), *statics, (4 * hidden, hidden)


def _rnn_blobs(param: LayerParameter, bottoms: MaybeShapes) -> Shapes:
    """W_xh (H, D), b_h (H), with a static input W_xh_static (H, Ds), W_hh (H, H), W_ho (H, H), b_o (H).

    `rnn_layer.cpp`.
    """
    hidden = param.recurrent_param.num_output
    inputs, static = _recurrent_inputs(param, bottoms, states=1)
    statics = tuple((hidden, size) for size in static)
    return (hidden, inputs), (hidden,), *statics, (hidden, hidden), (hidden, hidden), (hidden,)


def _recurrent_inputs(param: LayerParameter, bottoms: MaybeShapes, states: int) -> tuple[int, Shape]:
    """The size of an input, and that of the static input if there is one. `recurrent_layer.cpp`."""
    _require_plain(param.recurrent_param)
    others = 2 + states * param.recurrent_param.expose_hidden
    static = (count_from(bottoms[2], 1),) if len(bottoms) > others else ()
    return count_from(bottoms[0], 2), static


ROWS = {
    "LSTM":                  Row(2, of_known(_lstm), _lstm_blobs),
    "LSTMUnit":              Row(2, of_known(_lstm_unit)),
    "RNN":                   Row(2, of_known(_rnn), _rnn_blobs),
    "ContinuationIndicator": Row(0, _continuation_indicator),
    "Lstm":                  Row(1, of_known(_lstm_of_sequences)),
}  # fmt: skip
