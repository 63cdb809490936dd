"""Models of Keras from the Python that caffeconv writes: written to a folder, imported, filled, and fed with blobs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from caffeconv.keras.adjust.renaming import rename_layers
from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.conversion import convert, model_of, result_of
from caffeconv.keras.graph import Held, Model, Value, needed_nodes
from caffeconv.model import Array, Net
from caffeconv.writing.keras_h5 import write_keras_h5
from caffeconv.writing.python_source import python_source
from tests.support.graph_runs import array_of

__all__ = [
    "KERAS", "Outputs", "Written", "broken_nodes", "computable", "every_blob", "imported", "in_caffe_order",
    "source_of", "using", "worst_error", "written",
]  # fmt: skip

KERAS = {"keras": "0", "tf_keras": "1"}
"""The two that a written file can run on, and what TF_USE_LEGACY_KERAS is for each when the file is imported."""

Outputs = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, eq=False)
class Written:
    """OUT.py and OUT.h5 in a folder, and the graph that they were written from."""

    net: Net
    model: Model
    path: Path

    @property
    def weights(self) -> Path:
        return self.path.with_suffix(".h5")

    def filled(self) -> Any:
        """The model of Keras, with its weights."""
        module = imported(self.path)
        model = module.build_model()
        module.load_weights(model, str(self.weights))
        return model

    def inputs(self) -> list[tuple[str, Held]]:
        """The inputs of the model of Keras, in its order: Caffe's blob, and how Keras holds it."""
        needed = needed_nodes(self.model)
        return [
            (blob_name(self.net, self.model, value), value.held)
            for value in self.model.inputs
            if value.edge.node in needed
        ]

    def run(self, blobs: Mapping[str, Array], keras_model: Any = None) -> list[tuple[str, Array]]:
        """The outputs for these blobs of Caffe's, in Caffe's order, with their names."""
        fed = [in_keras_order(blobs[name], held) for name, held in self.inputs()]
        got = (keras_model or self.filled())(fed if len(fed) > 1 else fed[0], training=False)
        got = list(got) if isinstance(got, list | tuple) else [got]
        return [
            (name, in_caffe_order(array_of(tensor), value.held))
            for (name, value), tensor in zip(self.model.outputs, got, strict=True)
        ]


def written(
    net: Net, folder: Path, choose: Callable[[Net, Model], Outputs] | None = None, options: Options | None = None
) -> Written:
    """The files for a net; `choose` says what the model gives, if not what nobody reads."""
    options = options or Options()
    model = model_of(net, options)
    if choose is not None:
        model = replace(model, outputs=choose(net, model))
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / "out.py"
    before = result_of(model, net, options, False)
    after = rename_layers(before)
    stored = {old.name: new.name for old, new in zip(before.layers, after.layers, strict=True)}
    layers = after.layers
    if choose is not None:
        kept = {model.nodes[number].name for number in needed_nodes(model)}
        layers = tuple(new for old, new in zip(before.layers, after.layers, strict=True) if old.name in kept)
    write_keras_h5(path.with_suffix(".h5"), layers)
    path.write_text(python_source(net, model, stored, path.with_suffix(".h5").name), encoding="utf-8")
    return Written(net, model, path)


def source_of(net: Net) -> str:
    """The text alone."""
    before = convert(net)
    after = rename_layers(before)
    stored = {old.name: new.name for old, new in zip(before.layers, after.layers, strict=True)}
    return python_source(net, assembled(net, Options()), stored, "out.h5")


def computable(net: Net, model: Model) -> Outputs:
    """The outputs that need nothing that Keras cannot express."""
    broken = broken_nodes(model)
    return tuple((name, value) for name, value in model.outputs if value.edge.node not in broken)


def every_blob(net: Net, model: Model) -> Outputs:
    """Each blob that is computed, once, under the last layer that it is the top of: `top|<layer>|<position>`."""
    broken = broken_nodes(model)
    last: dict[Any, tuple[str, Value]] = {}
    for source, value in model.values.items():
        if value.edge.node not in broken and model.nodes[value.edge.node].part != "input":
            last[value.edge] = (f"top|{source.layer}|{source.top}", value)
    return tuple(last.values())


def broken_nodes(model: Model) -> set[int]:
    broken: set[int] = set()
    for number, node in enumerate(model.nodes):
        refused = node.problem is not None or (node.call is None and node.part != "input")
        if refused or any(edge.node in broken for edge in node.inputs):
            broken.add(number)
    return broken


def blob_name(net: Net, model: Model, value: Value) -> str:
    """Caffe's name for an input: that of the top of a layer without bottoms, or of a bottom that nobody makes."""
    for source, other in model.values.items():
        if other.edge == value.edge and not net.layers[source.layer].bottoms:
            return net.layers[source.layer].tops[source.top]
    return model.nodes[value.edge.node].name


def imported(path: Path) -> Any:
    """The file as a new module, which chooses its Keras as it is imported."""
    spec = importlib.util.spec_from_file_location("written_model", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def using(monkeypatch: Any, keras_name: str) -> None:
    """Has files that are imported from here on choose this Keras, or skips if it is not installed."""
    import pytest

    pytest.importorskip(keras_name)
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", KERAS[keras_name])


def in_keras_order(array: Array, held: Held) -> Array:
    if not array.ndim:
        return array.reshape(1)  # Keras has nothing without a batch
    return np.moveaxis(array, 1, -1) if held.layout == "last" and array.ndim > 2 else array


def in_caffe_order(array: Array, held: Held) -> Array:
    if held.shape == () and array.size == 1:
        return array.reshape(())
    if held.layout == "flat":
        return np.concatenate(list(unflattened(array, held.segments)), axis=1)
    return np.moveaxis(array, -1, 1) if held.layout == "last" and array.ndim > 2 else array


def unflattened(array: Array, segments: Sequence[Any]) -> Iterator[Array]:
    """The segments, each flattened as (C, axes…) and no longer as (axes…, C)."""
    start = 0
    for channels, *axes in segments:
        size = int(np.prod((channels, *axes)))
        part = array[:, start : start + size].reshape(len(array), *axes, channels)
        yield np.moveaxis(part, -1, 1).reshape(len(array), size)
        start += size
    assert start == array.shape[1]


def worst_error(got: Array, expected: Array) -> float:
    """The largest difference, as a part of the largest number expected; infinite if the shapes differ."""
    if got.shape != expected.shape:
        return float("inf")
    scale = max(float(np.abs(expected).max(initial=0)), float(np.finfo(np.float32).tiny))
    error = float(np.abs(got.astype(np.float64) - expected).max(initial=0)) / scale
    return error if np.isfinite(got).all() else float("inf")
