"""What a model in Python holds as it stands here: its classes, and how it loads."""

from __future__ import annotations

__all__ = ["FUNCTION", "LOADING", "OUTPUT_SHAPES", "REGISTER", "UNSUPPORTED", "WEIGHTED", "WITH_WEIGHTS"]

REGISTER = '@keras.utils.register_keras_serializable("caffeconv")'

FUNCTION = f'''
{REGISTER}
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

WEIGHTED = f'''
{REGISTER}
class Weighted(Function):
    """A layer whose function takes arrays of these names and shapes behind its inputs."""

    def __init__(self, arrays, **arguments):
        super().__init__(**arguments)
        self.shapes = arrays

    def build(self, _):
        self.arrays = [
            self.add_weight(name=name, shape=tuple(shape))
            for name, shape in self.shapes.items()
        ]

    def call(self, inputs):
        values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        arrays = [ops.convert_to_tensor(each) for each in self.arrays]
        return self.compute(*values, *arrays, **self.arguments)

    def get_config(self):
        return {{**super().get_config(), "arrays": dict(self.shapes)}}
'''.strip("\n").split("\n")

_ROWS_OF_BOXES = """
    def compute_output_shape(self, _):
        return (1, 1, None, 7)
""".rstrip().split("\n")

_AS_THE_FIRST = """
    def compute_output_shape(self, shapes):
        return shapes[0]
""".rstrip().split("\n")

_AS_IT_IS = """
    def compute_output_shape(self, shape):
        return shape
""".rstrip().split("\n")

OUTPUT_SHAPES = {
    "Affine": _AS_IT_IS,
    "ScaleBy": _AS_THE_FIRST,
    "ShiftBy": _AS_THE_FIRST,
    "ReshapeAll": """
    def compute_output_shape(self, _):
        return tuple(None if size == -1 else size for size in self.arguments["shape"])
""".rstrip().split("\n"),
    **dict.fromkeys(("DetectionOutput", "YoloDetectionOutput", "Yolov3DetectionOutput"), _ROWS_OF_BOXES),
}
"""What Keras does not find out for every batch."""

_BATCH_STATISTICS = f'''
{REGISTER}
class BatchStatistics(layers.Layer):
    """Normalized by the mean and variance of each batch, though others are stored."""

    def __init__(self, epsilon, center=True, scale=True, axis=-1, **arguments):
        super().__init__(**arguments)
        self.epsilon, self.center, self.scale = epsilon, center, scale
        self.axis = axis

    def build(self, shape):
        size = (shape[self.axis],)
        self.gamma = self.add_weight(name="gamma", shape=size) if self.scale else None
        self.beta = self.add_weight(name="beta", shape=size) if self.center else None
        self.stored_mean = self.add_weight(name="moving_mean", shape=size)
        self.stored_variance = self.add_weight(name="moving_variance", shape=size)

    def call(self, x):
        places = list(range(len(x.shape)))
        axes = tuple(place for place in places if place != places[self.axis])
        centred = x - ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(centred * centred, axis=axes, keepdims=True)
        shape = [1 if place in axes else -1 for place in places]
        x = centred / ops.sqrt(variance + self.epsilon)
        x = x * ops.reshape(self.gamma, shape) if self.scale else x
        return x + ops.reshape(self.beta, shape) if self.center else x

    def get_config(self):
        own = {{"epsilon": self.epsilon, "center": self.center, "scale": self.scale}}
        own["axis"] = self.axis
        return {{**super().get_config(), **own}}
'''.strip("\n").split("\n")

_RECURRENT_INIT = """
    def __init__(self, units, steps, static=False, exposed=False, **arguments):
        super().__init__(**arguments)
        self.units, self.steps = units, steps
        self.static, self.exposed = static, exposed

    def build(self, shapes):
        features = shapes[0][-1] + (shapes[2][-1] if self.static else 0)
""".strip("\n")

_RECURRENT_CONFIG = """
    def get_config(self):
        own = {"static": self.static, "exposed": self.exposed}
        own.update(units=self.units, steps=self.steps)
        return {**super().get_config(), **own}
""".strip("\n")

_LSTM = f'''
{REGISTER}
class MarkedLSTM(layers.Layer):
    """An LSTM over (time, batch, features) whose sequences begin where a mark is 0.

    Its inputs are x, marks (time, batch), what is static (batch, features), and the
    first hidden and cell state, as far as there are any; its gates are i, f, c, o.
    """

{_RECURRENT_INIT}
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

    def compute_output_shape(self, shapes):
        batch = shapes[0][1]
        top, state = (self.steps, batch, self.units), (1, batch, self.units)
        return [top, state, state] if self.exposed else top

{_RECURRENT_CONFIG}
'''.strip("\n").split("\n")

_RNN = f'''
{REGISTER}
class MarkedRNN(layers.Layer):
    """A simple RNN over (time, batch, features) whose sequences begin where a mark is 0.

    Its inputs are x, marks (time, batch), what is static (batch, features), and the
    first hidden state, as far as there are any.
    """

{_RECURRENT_INIT}
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

    def compute_output_shape(self, shapes):
        batch = shapes[0][1]
        top = (self.steps, batch, self.units)
        return [top, (1, batch, self.units)] if self.exposed else top

{_RECURRENT_CONFIG}
'''.strip("\n").split("\n")

WITH_WEIGHTS = {
    "BatchStatistics": _BATCH_STATISTICS,
    "MarkedLSTM": _LSTM,
    "MarkedRNN": _RNN,
}
"""Classes with weights, for which Keras has no layer."""

UNSUPPORTED = f'''
{REGISTER}
class Unsupported(layers.Layer):
    """What Keras cannot express: put what computes it in its place.

    Where the shapes of what it gives are known, a model with it can be built all the
    same, and cut before it.
    """

    def __init__(self, facts, shapes=None, **arguments):
        if shapes is not None and not hasattr(keras, "ops"):
            arguments["dynamic"] = True  # or Keras 2 calls it when the model is built
        super().__init__(**arguments)
        self.facts, self.shapes = facts, shapes

    def call(self, inputs):
        raise NotImplementedError(self.facts)

    def compute_output_shape(self, _):
        if self.shapes is None:
            raise NotImplementedError(self.facts)
        shapes = [tuple(shape) for shape in self.shapes]
        if not hasattr(keras, "ops"):
            from tensorflow import TensorShape

            shapes = [TensorShape(shape) for shape in shapes]
        return shapes[0] if len(shapes) == 1 else shapes

    def get_config(self):
        own = {{"facts": self.facts, "shapes": self.shapes}}
        return {{**super().get_config(), **own}}
'''.strip("\n").split("\n")

LOADING = '''
def text_of(name):
    """A name as h5py reads it: bytes, or text in files of newer Keras."""
    return name.decode() if isinstance(name, bytes) else name


def load_weights(model, path):
    """Fill the model from a file of weights that caffeconv wrote.

    Raises ValueError if a layer is missing on either side, or an array does not fit.
    """
    wanted = {layer.name: layer for layer in model.layers if layer.weights}
    with h5py.File(path, "r") as file:
        stored = {
            text_of(name)
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
            names = [text_of(name) for name in arrays.attrs["weight_names"]]
            layer.set_weights([arrays[name][()] for name in names])
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
