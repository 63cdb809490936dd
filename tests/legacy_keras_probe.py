"""Runs in Keras 2.3.1: `KERAS_BACKEND=… python tests/legacy_keras_probe.py FOLDER`, after `legacy_keras_write.py FOLDER`.

Every layer that Caffe ran is built from the conversion's own words, gets its weights by name from the files for each
backend, and must compute what Caffe computed. Exits with 1 where anything does not. Written in Python 3.6.
"""

import json
import logging
import os
import platform
import sys

import numpy as np

logging.getLogger("theano").setLevel(logging.ERROR)
sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - Keras greets there when it is imported
import h5py  # noqa: E402
import keras  # noqa: E402

sys.stderr = sys.__stderr__
from keras import backend as K  # noqa: E402, N812

RUNNING = K.backend()
FILES = ("tf", "theano", "cntk")

LATER_CLASSES = {
    "Conv1DTranspose": "came with TensorFlow 2.3",
    "DepthwiseConv1D": "came with TensorFlow 2.8",
}
LATER_ARGUMENTS = {"groups": "came with TensorFlow 2.3"}
"""What Keras 2.3.1 does not have."""

NEVER_CONVERTED = ("Conv3DTranspose",)
"""Layers that convolve under Theano and correlate elsewhere, but whose kernels Keras 2.3.1 forgets to flip when the file
comes from the other side: a file is right where it was made for, and wrong on the other side."""

UNIT_TOLERANCE, RECURRENT_TOLERANCE = 1e-5, 1e-4


def make(call, **more):
    return getattr(keras.layers, call["class_name"])(**dict(call["arguments"], **more))


def chain(layers, shape):
    """The layers one behind the other, each between what must stand before and after it."""
    inputs = output = keras.layers.Input(tuple(shape))
    for layer in layers:
        for call in layer["before"]:
            output = make(call)(output)
        output = make(layer["keras"], name=layer["name"])(output)
        for call in layer["after"]:
            output = make(call)(output)
    return keras.models.Model(inputs, output)


def recurrent(layers, features, states):
    """A recurrent layer whose first states are inputs and whose last states are outputs, and what comes behind it."""
    units = layers[0]["keras"]["arguments"]["units"]
    sequence = keras.layers.Input((None, features))
    begin = [keras.layers.Input((units,)) for _ in range(states)]
    layer = make(layers[0]["keras"], name=layers[0]["name"], return_state=True)
    results = layer(sequence, initial_state=begin)
    output, end = results[0], results[1:]
    for other in layers[1:]:
        output = make(other["keras"], name=other["name"])(output)
    return keras.models.Model([sequence] + begin, [output] + end)


def missing(layers):
    """Why Keras 2.3.1 cannot build one of the layers, or None."""
    for layer in layers:
        call = layer["keras"]
        if call["class_name"] in LATER_CLASSES:
            assert not hasattr(keras.layers, call["class_name"]), call
            return "{}, which {}".format(call["class_name"], LATER_CLASSES[call["class_name"]])
        for argument in LATER_ARGUMENTS:
            if argument in call["arguments"]:
                try:
                    make(call)
                except TypeError:
                    return "{}={}, which {}".format(argument, call["arguments"][argument], LATER_ARGUMENTS[argument])
                raise AssertionError("Keras 2.3.1 builds {}".format(call))
    return None


def forget(model):
    """What is not loaded afterwards is not right by chance, nor from the file before."""
    model.set_weights([np.full_like(array, np.nan) for array in model.get_weights()])


def error(got, expected):
    """The largest difference, relative to the largest number there is."""
    if got.shape != expected.shape:
        raise AssertionError("shape {}, expected {}".format(got.shape, expected.shape))
    if not np.isfinite(got).all():
        return np.inf
    return np.abs(got - expected).max() / np.abs(expected).max()


def largest_error(case, model, runs):
    worst = 0.0
    for inputs, outputs in runs:
        got = model.predict(inputs, batch_size=len(inputs[0]))
        got = got if isinstance(got, list) else [got]
        assert len(outputs) <= len(got), case
        worst = max([worst] + [error(got[i], expected) for i, expected in enumerate(outputs)])
    return worst


def runs_of(case, arrays):
    """(inputs, outputs) as often as the layer ran."""

    def listed(prefix):
        found = []
        while "{}|{}".format(prefix, len(found)) in arrays:
            found.append(arrays["{}|{}".format(prefix, len(found))])
        return found

    for number in range(case["runs"]):
        start = "{}|{}".format(case["case"], number)
        yield listed(start + "|in"), listed(start + "|out")


def check_case(folder, case, arrays):
    """{file's backend: largest error}."""
    runs = list(runs_of(case, arrays))
    assert runs and all(inputs and outputs for inputs, outputs in runs), case["case"]
    shape = runs[0][0][0].shape
    assert all(inputs[0].shape[2:] == shape[2:] for inputs, _ in runs), case["case"]
    K.clear_session()
    if case["states"]:
        model = recurrent(case["layers"], shape[2], case["states"])
    else:
        model = chain(case["layers"], shape[1:])
    errors = {}
    for file in FILES:
        forget(model)
        model.load_weights(os.path.join(folder, "{}.{}.h5".format(case["fixture"], file)), by_name=True)
        errors[file] = largest_error(case["case"], model, runs)
    return errors


def should_be_right(case, file):
    classes = [layer["keras"]["class_name"] for layer in case["layers"]]
    return not set(classes) & set(NEVER_CONVERTED) or (file == "theano") == (RUNNING == "theano")


def check_cases(folder):
    """The number of failures; prints what does not hold, and what was left out."""
    with open(os.path.join(folder, "cases.json")) as file:  # noqa: PTH123
        cases = json.load(file)
    failures, passed, worst, wrong, kinds = 0, 0, 0.0, [], set()
    with np.load(os.path.join(folder, "cases.npz")) as arrays:
        for case in cases:
            reason = missing(case["layers"])
            if reason is not None:
                print("  left out: {}: {}".format(case["case"], reason))
                continue
            kinds.update(layer["keras"]["class_name"] for layer in case["layers"])
            tolerance = RECURRENT_TOLERANCE if case["states"] else UNIT_TOLERANCE
            for file, found in check_case(folder, case, arrays).items():
                right = bool(found <= tolerance)
                if right != should_be_right(case, file):
                    failures += 1
                    print("  FAILED: {} from a file for {}: error {:.2g}{}".format(
                        case["case"], file, found, ", which was expected to be wrong" if right else ""
                    ))  # fmt: skip
                elif right:
                    passed += 1
                    worst = max(worst, found / tolerance)
                else:
                    wrong.append("{} from a file for {}".format(case["case"], file))
    for text in wrong:
        print("  known to be wrong: {}: Keras does not flip {}".format(text, ", ".join(NEVER_CONVERTED)))
    print("  {} times a layer computed what Caffe computed, within {:.0%} of the tolerance: {}".format(
        passed, worst, ", ".join(sorted(kinds))
    ))  # fmt: skip
    return failures


def check_attributes(folder):
    """Keras 2.3.1 calls `decode` on every string: what h5py 2 gives must be bytes."""
    expected = {"tf": b"tensorflow", "theano": b"theano", "cntk": b"cntk"}
    for kind in FILES:
        with h5py.File(os.path.join(folder, "residual_block.{}.h5".format(kind)), "r") as file:
            assert isinstance(file.attrs["backend"], bytes) and file.attrs["backend"] == expected[kind]
            assert isinstance(file.attrs["keras_version"], bytes) and file.attrs["keras_version"] >= b"2"
            names = list(file.attrs["layer_names"])
            names += [name for layer in file.attrs["layer_names"] for name in file[layer].attrs["weight_names"]]
            assert all(isinstance(name, bytes) for name in names)
            assert any(b"/" in name for name in file.attrs["layer_names"])


def check_names(folder):
    """Weights arrive by name and in order, though the list of names is spread over several attributes."""
    K.clear_session()
    image = keras.layers.Input((3, 3, 3))
    output = keras.layers.Conv2D(4, 3, name="conv/a")(image)
    output = keras.layers.Dense(5, use_bias=False, name="fc")(output)
    model = keras.models.Model(image, keras.layers.Dense(2, use_bias=False, name="größe")(output))
    with np.load(os.path.join(folder, "names.npz")) as arrays:
        stored = {key: arrays[key] for key in arrays.files}
    if RUNNING == "theano":
        stored["conv/a|0"] = stored["conv/a|0"][::-1, ::-1]
    for kind in FILES:
        path = os.path.join(folder, "names.{}.h5".format(kind))
        with h5py.File(path, "r") as file:
            assert "layer_names" not in file.attrs and "layer_names1" in file.attrs
        for by_name in (True, False):
            forget(model)
            model.load_weights(path, by_name=by_name)
            for key, array in stored.items():
                layer, _, number = key.partition("|")
                np.testing.assert_array_equal(model.get_layer(layer).get_weights()[int(number)], array)


def main(folder):
    engine = __import__(RUNNING).__version__
    versions = (keras.__version__, RUNNING, engine, h5py.__version__, platform.python_version())
    print("Keras {} under {} {}, h5py {}, Python {}".format(*versions))
    assert keras.__version__ == "2.3.1" and K.image_data_format() == "channels_last"
    check_attributes(folder)
    check_names(folder)
    return 1 if check_cases(folder) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
