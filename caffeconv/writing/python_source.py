"""A model definition in Python, for a person to read and change: OUT.py, beside the weights in OUT.h5.

The text holds nothing of the net but numbers, and names that are quoted: whatever a net is called, or its layers, it is
data, and cannot run. The same graph gives the same text.
"""

from __future__ import annotations

import dataclasses
import inspect
import keyword
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from caffeconv.keras import functions
from caffeconv.keras.graph import UNKNOWN, Edge, Held, Model, Node, keras_shape, needed_nodes
from caffeconv.model import MaybeShape, Net
from caffeconv.writing import python_classes as texts
from caffeconv.writing.keras2_operations import OPS
from caffeconv.writing.python_classes import REGISTER, WITH_WEIGHTS
from caffeconv.writing.python_statements import exploded, literal, statement
from caffeconv.writing.unique_names import Names, keras_names, model_name

__all__ = ["python_source"]

_TAKEN = ("keras", "layers", "ops", "os", "sys", "tuple", "input_shape", "shape", "inputs", "outputs")
"""Words that build_model reads, or that stand for a module."""
_LONGEST = 60
"""Of a variable's name."""
_BY_PLACE = ("filters", "kernel_size", "units")


@dataclasses.dataclass(frozen=True)
class _Named:
    """A node with the name of its layer, those of the variables that hold it and its outputs, and their shapes."""

    node: Node
    name: str
    layer: str
    variables: tuple[str, ...]
    shapes: tuple[MaybeShape, ...]


def python_source(net: Net, model: Model, stored: Mapping[str, str], weights: str) -> str:
    """The text of a module with `build_model` and `load_weights`, which builds the model when it is run.

    Args:
        net: the net that `model` is of.
        model: its graph.
        stored: name of a node -> the name of its group in the file of weights.
        weights: the name of that file.
    """
    named = _named(model)
    used = {_class_name(each.node) for each in named.values()}
    classes = sorted(used & set(functions.CLASSES))
    weighted = sorted(used & set(WITH_WEIGHTS))
    refused = any(each.node.problem is not None for each in named.values())
    groups = {
        each.name: stored[each.node.name]
        for each in named.values()
        if each.node.weights and not each.node.problem and each.node.twin is None
    }
    loaded = set(groups.values())
    written = [stored[node.name] for node in model.nodes if node.weights and node.name in stored]
    others = [name for name in written if name not in loaded] + _groups_of_others(model, stored)
    images = _TURNED if model.turned else _AS_IN_CAFFE
    lines = [*_head(bool(classes or weighted), _imported(classes), images), "", *_tables(groups, weights, others)]
    lines += ["", "", *_classes(classes, weighted, refused)]
    lines += [*_build_model(net, model, named), "", "", *texts.LOADING]
    return "\n".join(lines).rstrip() + "\n"


def _named(model: Model) -> dict[int, _Named]:
    """The nodes that the outputs are made of, by number, in order."""
    numbers = needed_nodes(model)
    nodes = [model.nodes[number] for number in numbers]
    shared = {node.twin for node in nodes}
    words = Names(_TAKEN)
    held = {value.edge: value.held for value in model.values.values()}
    named = {}
    for number, node, name in zip(numbers, nodes, keras_names(nodes), strict=True):
        stem = re.sub(r"\W", "_", node.name, flags=re.ASCII).lower().strip("_")[:_LONGEST] or "x"
        stem = f"x{stem}" if stem[0].isdigit() else f"{stem}_" if keyword.iskeyword(stem) else stem
        variables = tuple(
            words.free(stem if node.outputs == 1 else f"{stem}_{output}") for output in range(node.outputs)
        )
        shapes = tuple(keras_shape(held.get(Edge(number, output), UNKNOWN)) for output in range(node.outputs))
        named[number] = _Named(node, name, words.free(f"{stem}_layer") if number in shared else "", variables, shapes)
    return named


def _groups_of_others(model: Model, stored: Mapping[str, str]) -> list[str]:
    """Layers in the file that have no arrays, but hold the groups of layers that do: `a` beside `a/b`."""
    above = {name[:place] for name in stored.values() for place, letter in enumerate(name) if letter == "/"}
    weighted = {node.name for node in model.nodes if node.weights}
    return [name for layer, name in stored.items() if layer not in weighted and name in above]


def _class_name(node: Node) -> str:
    call = node.built or node.call
    return call.class_name if call is not None and node.problem is None else ""


def _source_of(function: Callable[..., Any]) -> list[str]:
    return inspect.getsource(function).rstrip().split("\n")


def _imported(classes: Sequence[str]) -> list[str]:
    called = [functions.CLASSES[name] for name in classes]
    lines = [line for each in called for used in (each, *functions.helpers_of(each)) for line in _source_of(used)]
    return [name for name in ("itertools", "math") if any(f"{name}." in line for line in lines)]


_AS_IN_CAFFE = (
    "Images are (batch, height, width, channels); channels are in Caffe's order, which is",
    "blue, green, red as a rule.",
)
_TURNED = (
    "Images are (batch, height, width, channels); channels are in the other order than in",
    "Caffe: red, green, blue as a rule.",
)


def _head(uses_ops: bool, imported: Sequence[str], images: Sequence[str]) -> list[str]:
    lines = [
        '"""A model of Keras, written by caffeconv from a net of Caffe.',
        "",
        "build_model() makes it, load_weights(model, path) fills it. Run as a program, this file",
        "does both and prints the summary. It runs on Keras 3 with any backend, and on Keras 2:",
        "with TensorFlow's tf_keras, set TF_USE_LEGACY_KERAS=1.",
        "",
        *images,
        '"""',
        "",
        *(f"import {name}" for name in imported),
        "import os",
        "import sys",
        "",
        "import h5py",
        "",
        'if os.environ.get("TF_USE_LEGACY_KERAS", "").lower() in ("1", "true"):',
        "    import tf_keras as keras",
        "else:",
        "    import keras",
        "",
        "layers = keras.layers",
    ]
    return lines + (["", *OPS, ""] if uses_ops else [])


def _tables(groups: Mapping[str, str], weights: str, others: Sequence[str]) -> list[str]:
    renamed = {name: group for name, group in groups.items() if name != group}
    lines = [f"WEIGHTS = {literal(Path(weights).name)}"]
    if renamed:
        lines += ["# Layers whose names Keras cannot bear, and what they are called in WEIGHTS.", "GROUPS = {"]
        lines += [f"    {literal(name)}: {literal(group)}," for name, group in renamed.items()] + ["}"]
    else:
        lines.append("GROUPS = {}")
    if others:
        lines += ["# Arrays in WEIGHTS that no layer of the model takes.", "OTHERS = {"]
        return [*lines, *(f"    {literal(name)}," for name in others), "}"]
    return [*lines, "OTHERS = set()"]


def _classes(names: Sequence[str], weighted: Sequence[str], refuses: bool) -> list[str]:
    lines: list[str] = []
    if names:
        lines += [*texts.FUNCTION, "", ""]
    if any(name in functions.WEIGHTED for name in names):
        lines += [*texts.WEIGHTED, "", ""]
    helpers = {helper: None for name in names for helper in functions.helpers_of(functions.CLASSES[name])}
    for helper in helpers:
        lines += [*_source_of(helper), "", ""]
    for name in names:
        function, base = functions.CLASSES[name], "Weighted" if name in functions.WEIGHTED else "Function"
        lines += [*_source_of(function), "", ""] if function not in helpers else []
        doc = f"    compute = staticmethod({function.__name__})"
        lines += [REGISTER, f"class {name}({base}):", f'    """See {function.__name__}."""', "", doc]
        lines += [*texts.OUTPUT_SHAPES.get(name, ()), "", ""]
    for name in weighted:
        lines += [*WITH_WEIGHTS[name], "", ""]
    if refuses:
        lines += [*texts.UNSUPPORTED, "", ""]
    return lines


def _build_model(net: Net, model: Model, named: Mapping[int, _Named]) -> Iterator[str]:
    inputs = [value for value in model.inputs if value.edge.node in named]
    single = len(inputs) == 1
    yield "def build_model(input_shape=None):"
    yield '    """The model, without its weights.'
    yield ""
    what = "the shape of the input" if single else "a dict of shapes, by the name of the input,"
    yield f"    `input_shape`: {what} without the batch, for a net that does"
    yield "    not say it; the layers are made for the shapes that stand here."
    yield '    """'
    for value in inputs:
        yield from _input(named[value.edge.node], value.held, single)
    for each in named.values():
        if each.node.part != "input":
            yield from _call(net, each, named)
    outputs = [named[value.edge.node].variables[value.edge.output] for _, value in model.outputs]
    names = [named[value.edge.node].variables[0] for value in inputs]
    yield from _one_or_more("inputs", names)
    yield from _one_or_more("outputs", outputs)
    title = f"name={literal(model_name(net.name))}"
    yield from statement("return keras.Model", ["inputs", "outputs", title], None)


def _one_or_more(target: str, names: Sequence[str]) -> Iterator[str]:
    if len(names) == 1:
        yield f"    {target} = {names[0]}"
    else:
        yield from exploded(f"    {target} = [", names, "]")


def _input(each: _Named, held: Held, single: bool) -> Iterator[str]:
    shape = keras_shape(held)
    known = None if shape is None else tuple(shape[1:])
    asked = "input_shape" if single else f"(input_shape or {{}}).get({literal(each.name)})"
    variable = each.variables[0]
    if known is None:
        yield f"    # Input {_in_ascii(each.name)}: the net does not tell its shape."
        yield f"    shape = {asked}"
        yield "    if shape is None:"
        yield '        raise ValueError("give input_shape: the net does not tell it")'
        yield f"    {variable} = keras.Input(shape, name={literal(each.name)})"
        return
    if None in known:
        yield "    # Where None stands, any size will do that the layers behind it take."
        yield f"    shape = {asked} or {literal(known)}"
        yield f"    {variable} = keras.Input(shape, name={literal(each.name)})"
        return
    yield f"    shape = {literal(known)}"
    yield f"    if tuple({asked} or shape) != shape:"
    yield '        raise ValueError(f"made for inputs of {shape}: convert again (--input-shape)")'
    yield f"    {variable} = keras.Input(shape, name={literal(each.name)})"


def _in_ascii(text: str) -> str:
    """Text as a comment may hold it: one line of printable ASCII."""
    return ascii(text)[1:-1][:60]


def _call(net: Net, each: _Named, named: Mapping[int, _Named]) -> Iterator[str]:
    node = each.node
    taken = [_variable(edge, named) for edge in node.inputs]
    value = taken[0] if len(taken) == 1 else taken
    target = ", ".join(each.variables)
    if node.part == "main" and node.origins:
        layer = net.layers[node.origins[0]]
        shape = _shape_text(layer.top_shapes[0] if layer.top_shapes else None)
        yield f"    # {_in_ascii(layer.type)} {shape}".rstrip()
    arguments: list[tuple[str, Any]]
    if node.problem is not None or node.call is None:
        of = f"{net.layers[node.origins[0]].name} ({net.layers[node.origins[0]].type})" if node.origins else node.name
        facts = f"{of}: {node.problem or 'Keras has no such layer'}"
        arguments = [("facts", facts)]
        if all(each.shapes):
            arguments.append(("shapes", [(None, *shape[1:]) for shape in each.shapes if shape]))
        class_name = "Unsupported"
    else:
        call = node.built or node.call
        arguments = list(call.arguments)
        if call.class_name in functions.WEIGHTED:
            arguments.insert(0, ("arrays", {weight.name: weight.shape for weight in node.weights}))
        own = call.class_name in functions.CLASSES or call.class_name in WITH_WEIGHTS
        class_name = call.class_name if own else f"layers.{call.class_name}"
    if node.twin is not None and node.twin in named:
        yield from statement(f"{target} = {named[node.twin].layer}", [], value)
        return
    words = [*_words(arguments), f"name={literal(each.name)}"]
    if each.layer:
        yield from statement(f"{each.layer} = {class_name}", words, None)
        yield from statement(f"{target} = {each.layer}", [], value)
    else:
        yield from statement(f"{target} = {class_name}", words, value)


def _words(arguments: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """Arguments as a person would write them: sizes by their place, and no default that everybody knows."""
    leading = True
    for key, value in arguments:
        leading = leading and key in _BY_PLACE
        if (key, value) != ("padding", "valid"):
            yield literal(value) if leading else f"{key}={literal(value)}"


def _variable(edge: Edge, named: Mapping[int, _Named]) -> str:
    return named[edge.node].variables[edge.output]


def _shape_text(shape: MaybeShape) -> str:
    if shape is None:
        return ""
    return " x ".join("?" if size is None else str(size) for size in shape[1:])
