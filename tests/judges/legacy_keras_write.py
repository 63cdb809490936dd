"""Writes what `legacy_keras_probe.py` loads: `python -m tests.judges.legacy_keras_write FOLDER`.

    <fixture>.<backend>.h5, <fixture>.json     a converted net for each backend, and its layers as data
    names.<backend>.h5, names.npz              layers among so many long names that the list of them is spread
    cases.json, cases.npz                      every layer that Caffe ran; what went in and came out, as Keras has it

Arrays of cases.npz are called `<case>|<run>|in|<i>` and `<case>|<run>|out|<i>`.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from caffeconv.cli import main as caffeconv
from caffeconv.keras.adjust.backends import BACKENDS, for_backend
from caffeconv.model import Array, KerasCall, LayerWeights, Result, Shape, Weight
from caffeconv.writing.keras_h5 import write_keras_h5
from tests.support.caffe_cases import Case
from tests.support.caffe_runs import Run
from tests.support.families import tables
from tests.support.flattened_maps import sequences
from tests.support.places import FIXTURES

Arrays = list[Array]
Runs = list[tuple[Arrays, Arrays]]


def convert(fixture: str, into: Path) -> list[dict[str, Any]]:
    """The net of a fixture for every backend, by the command line; its layers as data."""
    report = into / f"{fixture}.json"
    for backend in BACKENDS:
        net = [str(FIXTURES / fixture / name) for name in ("net.prototxt", "net.caffemodel")]
        out = into / f"{fixture}.{backend}.h5"
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            caffeconv(["convert", "-b", backend, "--report", str(report), str(out), *net], standalone_mode=False)
    layers: list[dict[str, Any]] = json.loads(report.read_text())["layers"]
    return layers


def recurrent_runs(run: Run, states: int) -> Runs:
    """Sequence by sequence, since Keras knows only whole ones: (x, first states…), (y[, last states…])."""
    x, marks, *others = run.bottoms
    exposed = len(run.tops) > 1
    steps, batch = marks.shape
    x = sequences(x, others[0] if len(others) > states * exposed else None)
    zeros = [np.zeros((1, run.tops[0].shape[2]), np.float32)] * states
    runs: Runs = []
    for sample in range(batch):
        cuts = sorted({0, *np.flatnonzero(marks[:, sample] == 0), steps})
        for start, stop in itertools.pairwise(cuts):
            goes_on = exposed and marks[start, sample] != 0
            first = [state[0, sample : sample + 1] for state in others[-states:]] if goes_on else zeros
            last = [top[0, sample : sample + 1] for top in run.tops[1:]] if exposed and stop == steps else []
            inputs = [x[np.newaxis, start:stop, sample], *first]
            runs.append((inputs, [run.tops[0][np.newaxis, start:stop, sample], *last]))
    return runs


def in_rows(x: Array, y: Array) -> tuple[Arrays, Arrays]:
    """Keras 2.3.1 feeds no batch of single numbers; they become rows of one."""
    return ([x], [y]) if x.ndim > 1 else ([x[:, np.newaxis]], [y[:, np.newaxis]])


def write_cases(into: Path) -> None:
    cases: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    converted: dict[str, list[dict[str, Any]]] = {}
    learned: list[Case] = [case for table in tables("tests.keras.rules", "CAFFE") for case in table.values()]
    for case in learned:
        if case.stored or case.by_batch:
            continue
        if case.fixture not in converted:
            converted[case.fixture] = convert(case.fixture, into)
        layers = [layer for layer in converted[case.fixture] if case.name in layer["caffe_layers"]]
        run = case.run
        assert layers[0]["caffe_layers"] == case.caffe_layers
        states = {"LSTM": 2, "RNN": 1}.get(run.type, 0)
        whole = [] if states else [in_rows(x, y) for x, y in zip(*case.order(run), strict=True)]
        runs = recurrent_runs(run, states) if states else whole
        for number, (inputs, outputs) in enumerate(runs):
            arrays.update({f"{case.id}|{number}|in|{i}": array for i, array in enumerate(inputs)})
            arrays.update({f"{case.id}|{number}|out|{i}": array for i, array in enumerate(outputs)})
        about = {"case": case.id, "fixture": case.fixture, "layers": layers, "states": states, "runs": len(runs)}
        cases.append(about)
    (into / "cases.json").write_text(json.dumps(cases))
    np.savez(into / "cases.npz", **arrays)


def write_names(into: Path) -> None:
    """Three layers among 3000 others, whose names fill more than one attribute."""
    rng = np.random.default_rng(4)
    shapes: dict[str, dict[str, Shape]] = {
        "conv/a": {"kernel": (3, 3, 3, 4), "bias": (4,)},
        "fc1": {"kernel": (4, 5)},
        "fc2": {"kernel": (5, 2)},
    }
    arrays = {
        name: {weight: rng.random(shape, np.float32) for weight, shape in weights.items()}
        for name, weights in shapes.items()
    }
    layers = [LayerWeights(f"größe_{number}_{'x' * 60}", "ReLU", ()) for number in range(3000)]
    for place, (name, weights) in zip((0, 1500, 3000), arrays.items(), strict=True):
        own = tuple(Weight(weight, array, array.shape) for weight, array in weights.items())
        keras = KerasCall("Conv2D" if "bias" in weights else "Dense")
        layers.insert(place, LayerWeights(name, "Convolution", (name,), own, keras))
    for backend in BACKENDS:
        result, attribute = for_backend(Result(tuple(layers)), backend)
        write_keras_h5(into / f"names.{backend}.h5", result.layers, backend=attribute)
    stored: dict[str, Any] = {f"{layer}|{i}": a for layer, w in arrays.items() for i, a in enumerate(w.values())}
    np.savez(into / "names.npz", **stored)


if __name__ == "__main__":
    write_cases(Path(sys.argv[1]))
    write_names(Path(sys.argv[1]))
