"""Names of layers and of models that every Keras takes, and none of them twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from caffeconv.keras.graph import Model, Node, needed_nodes

__all__ = ["Names", "all_names", "keras_names", "model_name", "safe_names"]

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
"""Names that every Keras takes on every backend; PyTorch has none with a dot."""


class Names:
    """Names that are given out once each, whatever their case."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.lower() for name in taken}
        self._numbers: dict[str, int] = {}

    def free(self, name: str) -> str:
        """The name, with a number behind it if it is taken."""
        key, free = name.lower(), name
        while free.lower() in self._taken:
            self._numbers[key] = self._numbers.get(key, 1) + 1
            free = f"{name}_{self._numbers[key]}"
        self._taken.add(free.lower())
        return free


def keras_names(nodes: Sequence[Node]) -> list[str]:
    """A name for each node's layer that every Keras takes: Caffe's where it does, and no name twice."""
    names = Names()
    return [names.free(_plain(node.name) or "layer") for node in nodes]


def all_names(model: Model) -> list[str]:
    """Such a name for every node of a graph: those that its outputs are made of have the names of a written model."""
    order = needed_nodes(model)
    order += sorted(set(range(len(model.nodes))).difference(order))
    named = dict(zip(order, keras_names([model.nodes[number] for number in order]), strict=True))
    return [named[number] for number in range(len(model.nodes))]


def safe_names(model: Model, layers: Sequence[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """A name that every Keras takes for each of the layers of a result, by its own: that which it has in a written
    model, where it is none of those `taken`. No two get the same, so the own names can be found again."""
    written: dict[str, str] = {}
    for name, node in sorted(zip(all_names(model), model.nodes, strict=True), key=lambda each: not each[1].weights):
        written.setdefault(node.name, name)
    names = Names(taken)
    known = [layer for layer in layers if layer in written]
    others = [layer for layer in layers if layer not in written]
    return {layer: names.free(written.get(layer) or _plain(layer) or "layer") for layer in (*known, *others)}


def model_name(name: str) -> str:
    """A name for the model of a net that is called so."""
    return _plain(name) or "model"


def _plain(name: str) -> str:
    return name if _SAFE.fullmatch(name) else re.sub(r"[^A-Za-z0-9_-]", "_", name).lstrip("_-")
