"""Models of Keras from the archives that caffeconv writes, and graphs of a single node."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from caffeconv.keras.graph import Edge, Held, Model, Node, Value
from caffeconv.model import Array, KerasCall, Net, Source, Weight
from caffeconv.writing.keras_archive import write_keras_archive
from tests.support.graph_runs import array_of

__all__ = ["config_of", "layers_of", "loaded", "ran", "single"]


def loaded(path: Path) -> Any:
    """As anyone loads it: nothing of ours is there to help, and nothing in the file may be code."""
    keras = pytest.importorskip("keras", minversion="3")
    return keras.saving.load_model(path, safe_mode=True)


def config_of(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def layers_of(path: Path) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = config_of(path)["config"]["layers"]
    return layers


def single(
    class_name: str, arguments: dict[str, Any], shapes: Sequence[tuple[int, ...]], outputs: int = 1,
    weights: tuple[Weight, ...] = (),
) -> tuple[Net, Model]:  # fmt: skip
    """A graph of inputs, whose axes are as they are given, and of one node, called `node`."""
    nodes = [Node(f"in{number}", KerasCall("Input"), part="input") for number in range(len(shapes))]
    inputs = [Value(Edge(number), Held("axes", shape)) for number, shape in enumerate(shapes)]
    call = KerasCall(class_name, tuple(arguments.items()))
    nodes.append(Node("node", call, tuple(value.edge for value in inputs), weights, outputs=outputs))
    given = tuple(
        (f"out{number}", Value(Edge(len(shapes), number), Held("unknown", None))) for number in range(outputs)
    )
    values = {Source(number, 0): value for number, value in enumerate(inputs)}
    return Net("net", ()), Model("net", tuple(nodes), values, tuple(inputs), given)


def ran(net: Net, model: Model, path: Path, inputs: Sequence[Array]) -> list[Array]:
    """What the archive of a graph computes."""
    write_keras_archive(path, net, model)
    got = loaded(path)(list(inputs) if len(inputs) > 1 else inputs[0], training=False)
    return [array_of(each) for each in (got if isinstance(got, list | tuple) else [got])]
