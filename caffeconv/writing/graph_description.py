"""A net and its graph as plain data: what became of each layer and each blob, and the calls that a model consists of.

    describe_net      Caffe's side: every layer in order, weights or not, and where Keras holds each of its tops
    describe_model    Keras' side: inputs, outputs, and the nodes of the graph under names that every Keras takes

`docs/report.schema.json` tells of every field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.keras.functions import CLASSES
from caffeconv.keras.graph import Edge, Held, Model, Node, Value, keras_shape, needed_nodes
from caffeconv.model import Layer, MaybeShape, Net, Source
from caffeconv.writing.python_classes import WITH_WEIGHTS
from caffeconv.writing.unique_names import all_names, model_name

__all__ = ["describe_model", "describe_net"]

_LOSS = "a loss or a measure, which a model that only computes does without"
_SINK = "nothing comes out of it"
_UNREAD = "nothing that the model gives is made of it"


def describe_net(net: Net, model: Model) -> dict[str, Any]:
    """The net in Caffe's words: its `name`, and its `layers` in their order; `model` is the graph of it."""
    names, needed = all_names(model), set(needed_nodes(model))
    made: dict[int, list[int]] = {}
    for number, node in enumerate(model.nodes):
        for origin in node.origins:
            made.setdefault(origin, []).append(number)
    held = {source.layer for source in model.values}
    inside = {origin for node in model.nodes for origin in node.origins[:-1]}
    layers = []
    for index, layer in enumerate(net.layers):
        numbers = made.get(index, [])
        is_there = not needed.isdisjoint(numbers) or (not numbers and index in held)
        became, reason = _became(net, index, [model.nodes[number] for number in numbers], is_there)
        bottoms = zip(layer.bottoms, layer.sources, strict=True)
        layers.append({
            "index": index,
            "name": layer.name,
            "type": layer.type,
            "in_place": not set(layer.tops).isdisjoint(layer.bottoms),
            "became": became,
            "reason": reason,
            "nodes": [names[number] for number in numbers],
            "bottoms": [{"blob": blob, **_describe_source(source)} for blob, source in bottoms],
            "tops": [
                {"blob": blob, **_describe_top(shape, None if index in inside else value, names)}
                for blob, shape, value in zip(layer.tops, layer.top_shapes, _values(model, index, layer), strict=True)
            ],
        })  # fmt: skip
    return {"name": net.name, "layers": layers}


def describe_model(net: Net, model: Model, stored: Mapping[str, str]) -> dict[str, Any]:
    """The graph in Keras' words: `name`, `turned`, `inputs`, `outputs` and `nodes`.

    `stored` is the name of a node with weights -> that of its record among the layers of the result, which is its
    group's in the file of weights.
    """
    names, needed = all_names(model), set(needed_nodes(model))
    return {
        "name": model_name(net.name),
        "turned": model.turned,
        "inputs": [
            {"blob": _input_blob(net, model, value.edge), **_describe_value(value, names)}
            for value in model.inputs
            if value.edge.node in needed
        ],
        "outputs": [{"blob": blob, **_describe_value(value, names)} for blob, value in model.outputs],
        "nodes": [
            _describe_node(model, number, names, stored) | {"used": number in needed}
            for number in range(len(model.nodes))
        ],
    }


def _why_left_out(layer: Layer) -> str:
    if layer.type in LAYER_TYPES and LAYER_TYPES[layer.type].family == "losses":
        return _LOSS
    return _UNREAD if layer.tops else _SINK


def _became(net: Net, index: int, nodes: Sequence[Node], is_there: bool) -> tuple[str, str | None]:
    """What became of a layer, in one word, and why where that does not go without saying."""
    if not is_there:
        return "left_out", _why_left_out(net.layers[index])
    if nodes and nodes[0].origins[0] != index:
        into = nodes[0].origins[0]
        return "fused", f"worked into layer {into}, {net.layers[into].name}"
    problem = next(filter(None, map(_problem, nodes)), None)
    if problem is not None:
        return "unsupported", problem
    if all(node.part == "input" for node in nodes):
        return ("input" if nodes else "identity"), None
    return "layers", None


def _problem(node: Node) -> str | None:
    """Why no model can have the node."""
    lacking = node.call is None and node.part != "input"
    return node.problem or ("Keras has no such layer" if lacking else None)


def _describe_source(source: Source | None) -> dict[str, int | None]:
    if source is None:
        return {"layer": None, "top": None}
    return {"layer": source.layer, "top": source.top}


def _values(model: Model, index: int, layer: Layer) -> Iterator[Value | None]:
    """Where each of a layer's tops is."""
    return (model.values.get(Source(index, top)) for top in range(len(layer.tops)))


def _describe_top(shape: MaybeShape, value: Value | None, names: Sequence[str]) -> dict[str, Any]:
    """A blob of Caffe's, and where Keras holds it; nothing does where a layer is left out, or worked into another with
    the one that reads it."""
    if value is not None:
        return _describe_value(value, names)
    nowhere: dict[str, Any] = {"layout": None, "segments": [], "keras_shape": None, "node": None, "output": None}
    return {"shape": None if shape is None else list(shape)} | nowhere


def _describe_value(value: Value, names: Sequence[str]) -> dict[str, Any]:
    return {**_describe_held(value.held), **_describe_edge(value.edge, names)}


def _describe_held(held: Held) -> dict[str, Any]:
    shape = None if held.layout == "unknown" else keras_shape(held)
    return {
        "shape": None if held.shape is None else list(held.shape),
        "layout": held.layout,
        "segments": [list(segment) for segment in held.segments],
        "keras_shape": None if shape is None else list(shape),
    }


def _describe_edge(edge: Edge, names: Sequence[str]) -> dict[str, Any]:
    return {"node": names[edge.node], "output": edge.output}


def _input_blob(net: Net, model: Model, edge: Edge) -> str | None:
    """Caffe's name for an input: that of the first top that it is, or of a bottom that nobody makes."""
    for source, value in model.values.items():
        if value.edge == edge:
            return net.layers[source.layer].tops[source.top]
    name = model.nodes[edge.node].name
    loose = any(
        blob == name and source is None
        for layer in net.layers
        for blob, source in zip(layer.bottoms, layer.sources, strict=True)
    )
    return name if loose else None


def _describe_node(model: Model, number: int, names: Sequence[str], stored: Mapping[str, str]) -> dict[str, Any]:
    node = model.nodes[number]
    call = node.built or node.call
    return {
        "name": names[number],
        "part": node.part,
        "class_name": None if call is None else call.class_name,
        "arguments": {} if call is None else dict(call.arguments),
        "of_keras": call is not None and call.class_name not in CLASSES and call.class_name not in WITH_WEIGHTS,
        "problem": _problem(node),
        "calls": None if node.twin is None else names[node.twin],
        "inputs": [_describe_edge(edge, names) for edge in node.inputs],
        "outputs": node.outputs,
        "origins": list(node.origins),
        "weights": [weight.name for weight in node.weights],
        "stored_as": stored.get(node.name) if node.weights else None,
    }
