"""Recurrent layers, and what belongs to them."""

from __future__ import annotations

from tests.support.shape_cases import CONT, SEQUENCE, Case, shape_tests

CASES = {
    # Caffe's own, compared with a running Caffe
    "lstm": Case("LSTM", "recurrent_param { num_output: 5 }",
                 (SEQUENCE, CONT), ((7, 2, 5),), ((20, 3), (20,), (20, 5))),
    "lstm_static": Case("LSTM", "recurrent_param { num_output: 5 }",
                        ((7, 2, 3, 2), CONT, (2, 4, 2)), ((7, 2, 5),), ((20, 6), (20,), (20, 8), (20, 5))),
    "lstm_exposed": Case("LSTM", "recurrent_param { num_output: 5 expose_hidden: true }",
                         (SEQUENCE, CONT, (1, 2, 5), (1, 2, 5)), ((7, 2, 5), (1, 2, 5), (1, 2, 5)),
                         ((20, 3), (20,), (20, 5))),
    "rnn": Case("RNN", "recurrent_param { num_output: 5 }",
                (SEQUENCE, CONT), ((7, 2, 5),), ((5, 3), (5,), (5, 5), (5, 5), (5,))),
    "rnn_static_exposed": Case("RNN", "recurrent_param { num_output: 5 expose_hidden: true }",
                               (SEQUENCE, CONT, (2, 4), (1, 2, 5)), ((7, 2, 5), (1, 2, 5)),
                               ((5, 3), (5,), (5, 4), (5, 5), (5, 5), (5,))),
    "lstm_unit": Case("LSTMUnit", "", ((1, 2, 5), (1, 2, 20), (1, 2)), ((1, 2, 5), (1, 2, 5))),
    # of forks, by their sources
    "continuation": Case("ContinuationIndicator", "continuation_indicator_param { time_step: 16 batch_size: 8 }",
                         (), ((16, 8),)),
    "lstm_of_matrix": Case("Lstm", "lstm_param { num_output: 9 }", ((14, 3),), ((14, 9),), None),
    "lstm_of_sequence": Case("Lstm", "lstm_param { num_output: 9 }", (SEQUENCE,), ((7, 2, 9),), None),
}  # fmt: skip
REFUSED = {
    "lstm_rank": Case("LSTM", "recurrent_param { num_output: 5 }", (CONT, CONT)),
    "lstm_cont": Case("LSTM", "recurrent_param { num_output: 5 }", (SEQUENCE, (2, 7))),
    "lstm_unit_gates": Case("LSTMUnit", "", ((1, 2, 5), (1, 2, 15), (1, 2)), (None, None)),
}  # fmt: skip

TestShapes = shape_tests(CASES, REFUSED, over_unknown={"lstm_static": ((20, None), (20,), (20, None), (20, 5))})
