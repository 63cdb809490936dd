"""Keras 2.3.1 on what legacy_keras_write.py wrote: `KERAS_BACKEND=… python tests/judges/legacy_keras_probe.py FOLDER`.

Every layer that Caffe ran is built from the conversion's own words, gets its weights by name from the files for each
backend, and must compute what Caffe computed. Exits with 1 where anything does not. Written in Python 3.6.
"""

import contextlib
import io
import json
import logging
import platform
import sys
from pathlib import Path

import h5py
import numpy as np

with contextlib.redirect_stderr(io.StringIO()):  # where Keras greets
    import keras
    from keras import backend as K  # noqa: N812
for name in ("theano", "tensorflow"):
    logging.getLogger(name).setLevel(logging.ERROR)

RUNNING = K.backend()
BACKENDS = {"tf": b"tensorflow", "theano": b"theano", "cntk": b"cntk"}
"""What a file is called after -> its attribute."""

LATER_CLASSES = {"Conv1DTranspose": "TensorFlow 2.3", "DepthwiseConv1D": "TensorFlow 2.8"}
LATER_ARGUMENTS = {"groups": "TensorFlow 2.3"}
"""What Keras 2.3.1 does not have -> what it came with."""

ONE_SIDED = frozenset({"Conv3DTranspose"})
"""Layers that convolve under Theano and correlate elsewhere, but whose kernels Keras 2.3.1 forgets to flip when the
file comes from the other side: a file is right on the side it was made for, and wrong on the other."""

PROVEN = {
    "BatchNormalization", "Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "Dense",
    "DepthwiseConv2D", "Embedding", "LSTM", "PReLU", "SimpleRNN",
}  # fmt: skip
"""The layers there must be a case for."""

THEANO_EPSILON = 1.0000001e-5
"""Where floatX is float32, Theano takes no epsilon of 1e-5: the float32 nearest to it is a little less, and refused."""

TOLERANCE, RECURRENT_TOLERANCE = 1e-5, 1e-4


def make(call, **more):
    arguments = dict(call["arguments"], **more)
    if RUNNING == "theano" and arguments.get("epsilon") == 1e-5:
        arguments["epsilon"] = THEANO_EPSILON
    return getattr(keras.layers, call["class_name"])(**arguments)


def chain(layers, shape):
    """The layers one behind the other, each between what must stand before and after it."""
    inputs = output = keras.layers.Input(tuple(shape))
    for layer in layers:
        for call in layer["before"]:
            # What is flat already, this Keras does not flatten.
            if call["class_name"] != "Flatten" or keras.backend.ndim(output) > 2:
                output = make(call)(output)
        output = make(layer["keras"], name=layer["name"])(output)
        for call in layer["after"]:
            output = make(call)(output)
    return keras.models.Model(inputs, output)


def recurrent(layers, features, states):
    """A recurrent layer whose first states are inputs and whose last states are outputs, and what comes behind it."""
    first, *others = layers
    sequence = keras.layers.Input((None, features))
    begin = [keras.layers.Input((first["keras"]["arguments"]["units"],)) for _ in range(states)]
    layer = make(first["keras"], name=first["name"], return_state=True)
    output, *end = layer(sequence, initial_state=begin)
    for other in others:
        output = make(other["keras"], name=other["name"])(output)
    return keras.models.Model([sequence, *begin], [output, *end])


def model_of(case, shape):
    if RUNNING == "tensorflow":
        K.clear_session()  # its one graph would grow and grow
    states = case["states"]
    return recurrent(case["layers"], shape[2], states) if states else chain(case["layers"], shape[1:])


def missing(layers):
    """What Keras 2.3.1 lacks to build the layers, or None."""
    for call in (layer["keras"] for layer in layers):
        if call["class_name"] in LATER_CLASSES:
            return f"{call['class_name']} came with {LATER_CLASSES[call['class_name']]}"
        for argument in LATER_ARGUMENTS:
            if argument in call["arguments"]:
                with contextlib.suppress(TypeError):
                    make(call)
                    raise AssertionError(f"Keras 2.3.1 makes {call}")
                return f"{argument}={call['arguments'][argument]} came with {LATER_ARGUMENTS[argument]}"
    return None


def forget(model):
    """What is not loaded afterwards is not right by chance, nor from the file before."""
    model.set_weights([np.full_like(array, np.nan) for array in model.get_weights()])


def error(got, expected):
    """The largest difference, relative to the largest number there is."""
    assert got.shape == expected.shape, f"shape {got.shape}, expected {expected.shape}"
    return np.abs(got - expected).max() / np.abs(expected).max() if np.isfinite(got).all() else np.inf


def largest_error(model, runs):
    errors = []
    for inputs, outputs in runs:
        got = model.predict(inputs, batch_size=len(inputs[0]))
        got = got if isinstance(got, list) else [got]
        errors += [error(got[i], expected) for i, expected in enumerate(outputs)]
    return max(errors)


def runs_of(case, arrays):
    """(inputs, outputs) as often as the layer ran."""

    def listed(prefix):
        found = []  # type: list[object]
        while f"{prefix}|{len(found)}" in arrays:
            found.append(arrays[f"{prefix}|{len(found)}"])
        assert found, prefix
        return found

    names = [f"{case['case']}|{number}" for number in range(case["runs"])]
    return [(listed(f"{name}|in"), listed(f"{name}|out")) for name in names]


def should_be_right(layers, file):
    one_sided = ONE_SIDED.intersection(layer["keras"]["class_name"] for layer in layers)
    return not one_sided or (file == "theano") == (RUNNING == "theano")


def check_case(folder, case, arrays):
    """For the files of each backend: (what was found, or None where all is well; is it a failure?)."""
    runs = runs_of(case, arrays)
    model = model_of(case, runs[0][0][0].shape)
    tolerance = RECURRENT_TOLERANCE if case["states"] else TOLERANCE
    for file in BACKENDS:
        forget(model)
        model.load_weights(str(folder / f"{case['fixture']}.{file}.h5"), by_name=True)
        found = largest_error(model, runs)
        right, expected = found <= tolerance, should_be_right(case["layers"], file)
        where = f"{case['case']} from a file for {file}: error {found:.2g}"
        if right:
            yield (None, False) if expected else (f"FAILED, expected to be wrong: {where}", True)
        else:
            yield (f"FAILED: {where}", True) if expected else (f"Keras does not flip this kernel: {where}", False)


def check_cases(folder):
    """The number of failures; prints what does not hold, and what was left out."""
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))
    right, failures = 0, 0
    proven = set()  # type: set[str]
    with np.load(str(folder / "cases.npz")) as arrays:
        for case in cases:
            reason = missing(case["layers"])
            if reason is not None:
                print(f"  left out: {case['case']}: {reason}")
                continue
            proven.update(layer["keras"]["class_name"] for layer in case["layers"])
            for text, failed in check_case(folder, case, arrays):
                failures += failed
                right += text is None
                if text is not None:
                    print(f"  {text}")
    assert proven >= PROVEN, f"no case for {PROVEN - proven}"
    print(f"  {right} times a layer computed what Caffe computed, {failures} failures: {', '.join(sorted(proven))}")
    return failures


def check_attributes(folder):
    """Keras 2.3.1 calls `decode` on every string: what h5py 2 gives must be bytes."""
    for kind, backend in BACKENDS.items():
        with h5py.File(str(folder / f"residual_block.{kind}.h5"), "r") as file:
            assert isinstance(file.attrs["backend"], bytes)
            assert file.attrs["backend"] == backend
            assert isinstance(file.attrs["keras_version"], bytes)
            layers = list(file.attrs["layer_names"])
            weights = [name for layer in layers for name in file[layer].attrs["weight_names"]]
            assert all(isinstance(name, bytes) for name in layers + weights)
            assert b"block/shortcut" in layers


def check_names(folder):
    """Weights arrive by name and in order, though the list of names is spread over several attributes."""
    image = keras.layers.Input((3, 3, 3))
    output = keras.layers.Conv2D(4, 3, name="conv/a")(image)
    output = keras.layers.Dense(5, use_bias=False, name="fc1")(output)
    model = keras.models.Model(image, keras.layers.Dense(2, use_bias=False, name="fc2")(output))
    with np.load(str(folder / "names.npz")) as arrays:
        stored = {key: arrays[key] for key in arrays.files}
    if RUNNING == "theano":
        stored["conv/a|0"] = stored["conv/a|0"][::-1, ::-1]
    for kind in BACKENDS:
        path = str(folder / f"names.{kind}.h5")
        with h5py.File(path, "r") as file:
            assert "layer_names" not in file.attrs
            assert "layer_names1" in file.attrs
        for by_name in (True, False):
            forget(model)
            model.load_weights(path, by_name=by_name)
            for key, array in stored.items():
                layer, _, number = key.partition("|")
                np.testing.assert_array_equal(model.get_layer(layer).get_weights()[int(number)], array)


def main(folder):
    engine = f"{RUNNING} {sys.modules[RUNNING].__version__}"
    python = platform.python_version()
    print(f"Keras {keras.__version__} under {engine}, h5py {h5py.__version__}, Python {python}")
    assert keras.__version__ == "2.3.1"
    assert K.image_data_format() == "channels_last"
    assert not any(hasattr(keras.layers, name) for name in LATER_CLASSES)
    failures = check_cases(folder)
    check_attributes(folder)
    check_names(folder)
    print("  names with slashes, and 3000 names over several attributes: load by name and in order")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
