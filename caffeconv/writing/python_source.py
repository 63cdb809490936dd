"""A model definition in Python, for a person to read and change: OUT.py, beside the weights in OUT.h5.

The text holds nothing of the net but numbers, and names that are quoted: whatever a net is called, or its layers, it is
data, and cannot run. The same graph gives the same text.
"""

from __future__ import annotations

import dataclasses
import inspect
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from caffeconv.keras import functions
from caffeconv.keras.graph import Edge, Held, Model, Node, keras_shape
from caffeconv.model import MaybeShape, Net, StrPath
from caffeconv.writing.atomic import appearing

__all__ = ["keras_names", "python_source", "write_python"]

_WIDTH = 88
_TAKEN = frozenset(
    {"keras", "layers", "ops", "os", "sys", "math", "h5py", "build_model", "load_weights", "inputs", "outputs", "model",
     "input_shape", "tf", "path", "file"} | set(functions.CLASSES) | set(dir(__builtins__))
)  # fmt: skip
_SAFE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.-]*")


def write_python(path: StrPath, net: Net, model: Model, stored: Mapping[str, str], weights: str) -> None:
    """Write the text of `python_source`.

    Raises WriteError when the file cannot be written; what was at `path` is still there then.
    """
    with appearing(path, python_source(net, model, stored, weights)):
        pass


def keras_names(nodes: Sequence[Node]) -> list[str]:
    """A name for each node's layer that every Keras takes: Caffe's where it does, and no name twice."""
    taken: set[str] = set()
    names = []
    for node in nodes:
        name = node.name if _SAFE.fullmatch(node.name) else re.sub(r"[^A-Za-z0-9_.-]", "_", node.name).lstrip("_-")
        names.append(_free(name or "layer", {each.lower() for each in taken}))
        taken.add(names[-1])
    return names


def _free(name: str, taken: set[str] | frozenset[str]) -> str:
    """The name, with a number behind it if it is taken."""
    number, free = 1, name
    while free.lower() in taken:
        number += 1
        free = f"{name}_{number}"
    return free


@dataclasses.dataclass(frozen=True)
class _Named:
    """A node with the name of its layer, and those of the variables that hold its outputs."""

    node: Node
    name: str
    variables: tuple[str, ...]


def python_source(net: Net, model: Model, stored: Mapping[str, str], weights: str) -> str:
    """The text of a module with `build_model` and `load_weights`, which builds the model when it is run.

    Args:
        net: the net that `model` is of.
        model: its graph.
        stored: name of a node -> the name of its group in the file of weights.
        weights: the name of that file.
    """
    nodes = _needed(model)
    names = keras_names([model.nodes[number] for number in nodes])
    variables = _variables([model.nodes[number] for number in nodes])
    named = {
        number: _Named(model.nodes[number], name, each)
        for number, name, each in zip(nodes, names, variables, strict=True)
    }
    used = {_class_name(each.node) for each in named.values()}
    classes = sorted(used & set(functions.CLASSES))
    weighted = sorted(used & set(_WITH_WEIGHTS))
    refused = any(each.node.problem is not None for each in named.values())
    groups = {
        each.name: stored[each.node.name] for each in named.values() if each.node.weights and not each.node.problem
    }
    lines = [*_head(bool(classes or weighted), _imported(classes)), ""]
    lines += _tables(
        groups, weights, [stored[n.name] for n in model.nodes if n.weights and (n.problem or n.call is None)]
    )
    lines += ["", "", *_classes(classes, weighted, refused)]
    lines += [*_build_model(net, model, named), "", "", *_LOADING]
    return "\n".join(lines).rstrip() + "\n"


def _needed(model: Model) -> list[int]:
    """The nodes that the outputs are made of, in order."""
    wanted = {value.edge.node for _, value in model.outputs}
    for number in reversed(range(len(model.nodes))):
        if number in wanted:
            wanted.update(edge.node for edge in model.nodes[number].inputs)
    return sorted(wanted)


def _variables(nodes: Sequence[Node]) -> list[tuple[str, ...]]:
    taken = set(_TAKEN)
    made = []
    for node in nodes:
        stem = re.sub(r"\W", "_", node.name, flags=re.ASCII).lower().strip("_") or "x"
        stem = f"x{stem}" if stem[0].isdigit() else f"{stem}_" if keyword.iskeyword(stem) else stem
        each = []
        for number in range(node.outputs):
            name = _free(stem if node.outputs == 1 else f"{stem}_{number}", {word.lower() for word in taken})
            taken.add(name)
            each.append(name)
        made.append(tuple(each))
    return made


def _class_name(node: Node) -> str:
    call = node.built or node.call
    return call.class_name if call is not None and node.problem is None else ""


def _source_of(class_name: str) -> str:
    return inspect.getsource(functions.CLASSES[class_name])


def _imported(classes: Sequence[str]) -> list[str]:
    sources = [_source_of(name) for name in classes]
    return [name for name in ("itertools", "math") if any(f"{name}." in source for source in sources)]


def _head(uses_ops: bool, imported: Sequence[str]) -> list[str]:
    lines = [
        '"""A model of Keras, written by caffeconv from a net of Caffe.',
        "",
        "build_model() makes it, load_weights(model, path) fills it. Run as a program, this file",
        "does both and prints the summary. It runs on Keras 3 with any backend, and on Keras 2:",
        "with TensorFlow's tf_keras, set TF_USE_LEGACY_KERAS=1.",
        "",
        "Images are (batch, height, width, channels); channels are in Caffe's order, which is",
        "blue, green, red as a rule.",
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
    return lines + (["", *_OPS] if uses_ops else [])


_OPS = '''
if hasattr(keras, "ops"):
    ops = keras.ops
else:  # Keras 2
    import tensorflow as tf

    class ops:
        """The operations of Keras 3 that are used below."""

        abs, add, cast, einsum = tf.abs, tf.add, tf.cast, tf.einsum
        exp, greater, log, maximum = tf.exp, tf.greater, tf.math.log, tf.maximum
        minimum, power, reshape, sigmoid = tf.minimum, tf.pow, tf.reshape, tf.sigmoid
        sqrt, stack, tanh, concatenate = tf.sqrt, tf.stack, tf.tanh, tf.concat
        matmul, convert_to_tensor = tf.matmul, tf.convert_to_tensor

        def expand_dims(x, axis):
            return tf.expand_dims(x, axis)

        def flip(x, axis):
            return tf.reverse(x, [axis])

        def mean(x, axis, keepdims=False):
            return tf.reduce_mean(x, axis, keepdims)

        def sum(x, axis, keepdims=False):
            return tf.reduce_sum(x, axis, keepdims)

        def pad(x, widths, constant_values=0):
            return tf.pad(x, widths, constant_values=constant_values)

        def transpose(x, axes):
            return tf.transpose(x, axes)

        def take(x, indices, axis):
            return tf.gather(x, indices, axis=axis)

        def top_k(x, k):
            return tf.math.top_k(x, k)

        def split(x, points, axis):
            ends = [*points, x.shape[axis]]
            sizes = [end - start for start, end in zip([0, *points], ends, strict=True)]
            return tf.split(x, sizes, axis)

        def average_pool(x, size, strides, padding):
            return tf.nn.avg_pool(x, size, strides, padding.upper())

        def max_pool(x, size, strides, padding):
            return tf.nn.max_pool(x, size, strides, padding.upper())
'''.strip("\n").split("\n")

_REGISTER = '@keras.utils.register_keras_serializable("caffeconv")'

_FUNCTION = f'''
{_REGISTER}
class Function(layers.Layer):
    """A layer without weights, whose arguments are those of the function it computes."""

    def __init__(self, name=None, trainable=True, dtype=None, **arguments):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.arguments = arguments

    def call(self, inputs):
        values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        return self.compute(*values, **self.arguments)

    def get_config(self):
        return {{**super().get_config(), **self.arguments}}
'''.strip("\n").split("\n")

_NORMALIZE = f'''
{_REGISTER}
class Normalize(layers.Layer):
    """x divided by its L2 norm, over the channels or the whole sample, times gamma."""

    def __init__(self, across_spatial, eps, **arguments):
        super().__init__(**arguments)
        self.across_spatial, self.eps = across_spatial, eps

    def build(self, shape):
        self.gamma = self.add_weight(name="gamma", shape=(shape[-1],))

    def call(self, x):
        axes = tuple(range(1, len(x.shape))) if self.across_spatial else (-1,)
        total = ops.sum(x * x, axis=axes, keepdims=True) + self.eps
        return x / ops.sqrt(total) * self.gamma

    def get_config(self):
        own = {{"across_spatial": self.across_spatial, "eps": self.eps}}
        return {{**super().get_config(), **own}}
'''.strip("\n").split("\n")

_BATCH_STATISTICS = f'''
{_REGISTER}
class BatchStatistics(layers.Layer):
    """Normalized by the mean and variance of each batch, though others are stored."""

    def __init__(self, epsilon, center=True, scale=True, **arguments):
        super().__init__(**arguments)
        self.epsilon, self.center, self.scale = epsilon, center, scale

    def build(self, shape):
        size = (shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=size) if self.scale else 1
        self.beta = self.add_weight(name="beta", shape=size) if self.center else 0
        self.stored_mean = self.add_weight(name="moving_mean", shape=size)
        self.stored_variance = self.add_weight(name="moving_variance", shape=size)

    def call(self, x):
        axes = tuple(range(len(x.shape) - 1))
        centred = x - ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(centred * centred, axis=axes, keepdims=True)
        return centred / ops.sqrt(variance + self.epsilon) * self.gamma + self.beta

    def get_config(self):
        own = {{"epsilon": self.epsilon, "center": self.center, "scale": self.scale}}
        return {{**super().get_config(), **own}}
'''.strip("\n").split("\n")

_LSTM = f'''
{_REGISTER}
class MarkedLSTM(layers.Layer):
    """An LSTM over (time, batch, features) whose sequences begin where a mark is 0.

    Its inputs are x, marks (time, batch), what is static (batch, features), and the
    first hidden and cell state, as far as there are any; its gates are i, f, c, o.
    """

    def __init__(self, units, steps, static=False, exposed=False, **arguments):
        super().__init__(**arguments)
        self.units, self.steps = units, steps
        self.static, self.exposed = static, exposed

    def build(self, shapes):
        features = shapes[0][-1] + (shapes[2][-1] if self.static else 0)
        gates = 4 * self.units
        self.kernel = self.add_weight(name="kernel", shape=(features, gates))
        recurrent = (self.units, gates)
        self.recurrent = self.add_weight(name="recurrent_kernel", shape=recurrent)
        self.bias = self.add_weight(name="bias", shape=(gates,))

    def call(self, inputs):
        x, marks, *others = inputs
        static = others.pop(0) if self.static else None
        hidden, cell = (others[0][0], others[1][0]) if self.exposed else (0.0, 0.0)
        outputs = []
        for step in range(self.steps):
            features = x[step]
            if static is not None:
                features = ops.concatenate([features, static], axis=1)
            mark = ops.expand_dims(marks[step], 1)
            gates = ops.matmul(features, self.kernel) + self.bias
            if self.exposed or step:
                gates = gates + ops.matmul(hidden * mark, self.recurrent)
            into, forget, new, out = ops.split(
                gates, [self.units, 2 * self.units, 3 * self.units], axis=1
            )
            kept = mark * ops.sigmoid(forget) * cell
            cell = kept + ops.sigmoid(into) * ops.tanh(new)
            hidden = ops.sigmoid(out) * ops.tanh(cell)
            outputs.append(hidden)
        top = ops.stack(outputs, axis=0)
        if not self.exposed:
            return top
        return [top, ops.expand_dims(hidden, 0), ops.expand_dims(cell, 0)]

    def get_config(self):
        own = {{"static": self.static, "exposed": self.exposed}}
        own.update(units=self.units, steps=self.steps)
        return {{**super().get_config(), **own}}
'''.strip("\n").split("\n")

_RNN = f'''
{_REGISTER}
class MarkedRNN(layers.Layer):
    """A simple RNN over (time, batch, features) whose sequences begin where a mark is 0.

    Its inputs are x, marks (time, batch), what is static (batch, features), and the
    first hidden state, as far as there are any.
    """

    def __init__(self, units, steps, static=False, exposed=False, **arguments):
        super().__init__(**arguments)
        self.units, self.steps = units, steps
        self.static, self.exposed = static, exposed

    def build(self, shapes):
        features = shapes[0][-1] + (shapes[2][-1] if self.static else 0)
        self.kernel = self.add_weight(name="kernel", shape=(features, self.units))
        recurrent = (self.units, self.units)
        self.recurrent = self.add_weight(name="recurrent_kernel", shape=recurrent)
        self.bias = self.add_weight(name="bias", shape=(self.units,))

    def call(self, inputs):
        x, marks, *others = inputs
        static = others.pop(0) if self.static else None
        hidden = others[0][0] if self.exposed else 0.0
        outputs = []
        for step in range(self.steps):
            features = x[step]
            if static is not None:
                features = ops.concatenate([features, static], axis=1)
            total = ops.matmul(features, self.kernel) + self.bias
            if self.exposed or step:
                mark = ops.expand_dims(marks[step], 1)
                total = total + ops.matmul(hidden * mark, self.recurrent)
            hidden = ops.tanh(total)
            outputs.append(hidden)
        top = ops.stack(outputs, axis=0)
        return [top, ops.expand_dims(hidden, 0)] if self.exposed else top

    def get_config(self):
        own = {{"static": self.static, "exposed": self.exposed}}
        own.update(units=self.units, steps=self.steps)
        return {{**super().get_config(), **own}}
'''.strip("\n").split("\n")

_WITH_WEIGHTS = {
    "BatchStatistics": _BATCH_STATISTICS,
    "MarkedLSTM": _LSTM,
    "MarkedRNN": _RNN,
    "Normalize": _NORMALIZE,
}
"""Classes with weights, for which Keras has no layer."""

_UNSUPPORTED = f'''
{_REGISTER}
class Unsupported(layers.Layer):
    """What Keras cannot express: put what computes it in its place."""

    def __init__(self, facts, **arguments):
        super().__init__(**arguments)
        self.facts = facts

    def call(self, inputs):
        raise NotImplementedError(self.facts)

    def get_config(self):
        return {{**super().get_config(), "facts": self.facts}}
'''.strip("\n").split("\n")

_LOADING = '''
def load_weights(model, path):
    """Fill the model from a file of weights that caffeconv wrote.

    Raises ValueError if a layer is missing on either side, or an array does not fit.
    """
    wanted = {layer.name: layer for layer in model.layers if layer.weights}
    with h5py.File(path, "r") as file:
        stored = {
            name.decode() if isinstance(name, bytes) else name
            for key in file.attrs
            if key.startswith("layer_names")
            for name in file.attrs[key]
        }
        for name, layer in wanted.items():
            group = GROUPS.get(name, name)
            if group not in stored:
                raise ValueError(f"{path} has no layer {group!r}")
            stored.discard(group)
            arrays = file[group]
            names = [word.decode() for word in arrays.attrs["weight_names"]]
            layer.set_weights([arrays[word][()] for word in names])
        left = [name for name in sorted(stored - OTHERS) if len(file[name])]
    if left:
        raise ValueError(f"{path} has weights for layers that the model lacks: {left}")


if __name__ == "__main__":
    folder = os.path.dirname(os.path.abspath(__file__))
    model = build_model()
    load_weights(model, os.path.join(folder, WEIGHTS))
    model.summary()
    sys.exit(0)
'''.strip("\n").split("\n")


def _tables(groups: Mapping[str, str], weights: str, others: Sequence[str]) -> list[str]:
    renamed = {name: group for name, group in groups.items() if name != group}
    lines = [f"WEIGHTS = {_literal(Path(weights).name)}"]
    if renamed:
        lines += ["# Layers whose names Keras cannot bear, and what they are called in WEIGHTS.", "GROUPS = {"]
        lines += [f"    {_literal(name)}: {_literal(group)}," for name, group in renamed.items()] + ["}"]
    else:
        lines.append("GROUPS = {}")
    if others:
        lines += ["# Arrays in WEIGHTS that no layer of the model takes.", "OTHERS = {"]
        return [*lines, *(f"    {_literal(name)}," for name in others), "}"]
    return [*lines, "OTHERS = set()"]


def _classes(names: Sequence[str], weighted: Sequence[str], refuses: bool) -> list[str]:
    lines: list[str] = []
    if names:
        lines += [*_FUNCTION, "", ""]
    helpers = {"average_pooling", "max_pooling"} & {functions.CLASSES[name].__name__ for name in names}
    if helpers:
        lines += [*inspect.getsource(functions.windows_of).rstrip().split("\n"), "", ""]
    for name in names:
        function = functions.CLASSES[name]
        lines += [*inspect.getsource(function).rstrip().split("\n"), "", ""]
        doc = f"    compute = staticmethod({function.__name__})"
        lines += [_REGISTER, f"class {name}(Function):", f'    """See {function.__name__}."""', "", doc, "", ""]
    for name in weighted:
        lines += [*_WITH_WEIGHTS[name], "", ""]
    if refuses:
        lines += [*_UNSUPPORTED, "", ""]
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
    for number, each in named.items():
        if each.node.part != "input":
            yield from _call(net, number, each, named)
    outputs = [named[value.edge.node].variables[value.edge.output] for _, value in model.outputs]
    names = [named[value.edge.node].variables[0] for value in inputs]
    yield from (
        _exploded("    inputs = [", names, "]") if len(names) > 1 else [f"    inputs = {names[0] if names else '[]'}"]
    )
    yield from (
        _exploded("    outputs = [", outputs, "]")
        if len(outputs) > 1
        else [f"    outputs = {outputs[0] if outputs else '[]'}"]
    )
    title = re.sub(r"[^A-Za-z0-9_.-]", "_", net.name).lstrip("_-") or "model"
    yield from _statement("return keras.Model", ["inputs", "outputs", f"name={_literal(title)}"], None)


def _one_or_more(target: str, names: Sequence[str]) -> Iterator[str]:
    if len(names) == 1:
        yield f"    {target} = {names[0]}"
    else:
        yield from _exploded(f"    {target} = [", names, "]")


def _input(each: _Named, held: Held, single: bool) -> Iterator[str]:
    shape = keras_shape(held)
    known = None if shape is None else tuple(shape[1:])
    asked = "input_shape" if single else f"(input_shape or {{}}).get({_literal(each.name)})"
    variable = each.variables[0]
    if known is None:
        yield f"    # Input {each_ascii(each.name)}: the net does not tell its shape."
        yield f"    shape = {asked}"
        yield "    if shape is None:"
        yield '        raise ValueError("give input_shape: the net does not tell it")'
        yield f"    {variable} = keras.Input(shape, name={_literal(each.name)})"
        return
    if None in known:
        yield "    # Where None stands, any size will do that the layers behind it take."
        yield f"    shape = {asked} or {_literal(known)}"
        yield f"    {variable} = keras.Input(shape, name={_literal(each.name)})"
        return
    yield f"    shape = {_literal(known)}"
    yield f"    if tuple({asked} or shape) != shape:"
    yield '        raise ValueError(f"made for inputs of {shape}: convert again (--input-shape)")'
    yield f"    {variable} = keras.Input(shape, name={_literal(each.name)})"


def each_ascii(text: str) -> str:
    """Text as a comment may hold it: one line of printable ASCII."""
    return ascii(text)[1:-1][:60]


def _call(net: Net, number: int, each: _Named, named: Mapping[int, _Named]) -> Iterator[str]:
    node = each.node
    taken = [_variable(edge, named) for edge in node.inputs]
    value = taken[0] if len(taken) == 1 else taken
    target = ", ".join(each.variables)
    if node.part == "main" and node.origins:
        layer = net.layers[node.origins[0]]
        yield f"    # {each_ascii(layer.type)} {_shape_text(layer.top_shapes[0] if layer.top_shapes else None)}"
    if node.problem is not None or node.call is None:
        of = f"{net.layers[node.origins[0]].name} ({net.layers[node.origins[0]].type})" if node.origins else node.name
        facts = f"{of}: {node.problem or 'Keras has no such layer'}"
        arguments = [("facts", facts)]
        class_name = "Unsupported"
    else:
        call = node.built or node.call
        arguments = list(call.arguments)
        own = call.class_name in functions.CLASSES or call.class_name in _WITH_WEIGHTS
        class_name = call.class_name if own else f"layers.{call.class_name}"
    if node.twin is not None and node.twin in named:
        yield from _statement(f"{target} = {named[node.twin].variables[0]}_layer", [], value)
        return
    words = [f"{key}={_literal(argument)}" for key, argument in arguments]
    words.append(f"name={_literal(each.name)}")
    if any(other.node.twin == number for other in named.values()):
        yield from _statement(f"{each.variables[0]}_layer = {class_name}", words, None)
        yield from _statement(f"{target} = {each.variables[0]}_layer", [], value)
        return
    yield from _statement(f"{target} = {class_name}", words, value)


def _variable(edge: Edge, named: Mapping[int, _Named]) -> str:
    return named[edge.node].variables[edge.output]


def _statement(start: str, words: Sequence[str], value: str | Sequence[str] | None) -> Iterator[str]:
    """A call, on one line if it fits, else with a line for each argument."""
    behind = "" if value is None else f"({value})" if isinstance(value, str) else f"([{', '.join(value)}])"
    called = f"({', '.join(words)})" if words or not start.endswith("_layer") else ""
    line = f"    {start}{called}{behind}"
    if len(line) <= _WIDTH:
        yield line
        return
    if not called:
        yield from _exploded(f"    {start}([", value or (), "])")
        return
    yield f"    {start}("
    for word in words:
        yield from _argument(word)
    if value is None or isinstance(value, str) or len(behind) < _WIDTH - 5:
        yield f"    ){behind}"
        return
    yield "    )("
    yield from _exploded("        [", value, "]", deeper=4)
    yield "    )"


def _argument(word: str) -> Iterator[str]:
    if len(word) + 9 <= _WIDTH:
        yield f"        {word},"
        return
    key, _, text = word.partition("=")
    if text[:1] in "([" and text[-1:] in ")]":
        yield f"        {key}={text[0]}"
        yield from (f"            {part}," for part in _parts(text[1:-1]))
        yield f"        {text[-1]},"
    else:
        yield f"        {word},"


def _parts(text: str) -> list[str]:
    """What stands between the commas of the outermost level."""
    parts, depth, start = [], 0, 0
    for place, char in enumerate(text):
        depth += char in "([{"
        depth -= char in ")]}"
        if char == "," and depth == 0:
            parts.append(text[start:place].strip())
            start = place + 1
    return [*parts, text[start:].strip()] if text[start:].strip() else parts


def _exploded(start: str, words: Sequence[str], end: str, deeper: int = 0) -> Iterator[str]:
    line = f"{start}{', '.join(words)}{end}"
    if len(line) <= _WIDTH:
        yield line
        return
    yield start
    yield from (f"{' ' * (8 + deeper)}{word}," for word in words)
    yield f"{' ' * (4 + deeper)}{end}"


def _literal(value: Any) -> str:
    """A value as Python writes it, in ASCII, with the quotes that ruff would choose."""
    if isinstance(value, str):
        inside = value.encode("unicode_escape", "surrogatepass").decode("ascii")
        inside = inside.replace('"', '\\"') if "'" in value or '"' not in value else inside
        return f"'{inside}'" if '"' in value and "'" not in value else f'"{inside}"'
    if isinstance(value, tuple | list):
        items = ", ".join(map(_literal, value))
        return f"({items},)" if len(value) == 1 else f"({items})"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    return repr(value)


def _shape_text(shape: MaybeShape) -> str:
    if shape is None:
        return ""
    return " x ".join("?" if size is None else str(size) for size in shape[1:])
