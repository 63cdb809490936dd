"""Models as Python: they compute what real Caffe computed, say what Keras cannot, and run nothing but themselves."""

from __future__ import annotations

import ast
import collections
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.keras.graph import UNKNOWN, Edge, Model, Value
from caffeconv.model import Array, Net
from caffeconv.net.loading import load_net
from tests.support.caffe_listing import MANIFEST
from tests.support.net_builder import filled, input_text, layer_text, net_of, values
from tests.support.places import CHECKOUT, FIXTURES
from tests.support.python_models import (
    KERAS,
    Outputs,
    Written,
    broken_nodes,
    computable,
    every_blob,
    imported,
    source_of,
    using,
    worst_error,
    written,
)

TOLERANCE = 1e-5
"""Of the largest number in a blob."""

RUN = [name for name, entry in MANIFEST["fixtures"].items() if "net_run.npz" in entry["files"]]
WITHOUT_OUTPUTS = {"accuracy"}
"""Nets of which nothing is left: of measures alone."""


def fixture(name: str) -> Net:
    folder = FIXTURES / name
    weights = folder / "net.caffemodel"
    return load_net(folder / "net.prototxt", weights if weights.exists() else None)


def graph(name: str) -> Model:
    return assembled(fixture(name), Options())


class Golden:
    """What real Caffe computed in a fixture: `given` and `final` by blob, `tops` by layer of the net and position."""

    def __init__(self, name: str) -> None:
        layers = json.loads((FIXTURES / name / "caffe.json").read_text())["layers"]
        own = [index for index, layer in enumerate(layers) if not layer["auto_split"]]
        self.given: dict[str, Array] = {}
        self.final: dict[str, Array] = {}
        self.tops: dict[str, Array] = {}
        with np.load(FIXTURES / name / "net_run.npz") as arrays:
            for key in arrays:
                kind, _, rest = key.partition("|")
                if kind == "in":
                    self.given[rest] = arrays[key]
                elif kind == "top":
                    index, position = map(int, rest.split("|"))
                    self.tops[f"top|{own.index(index)}|{position}"] = arrays[key]
                    self.final[layers[index]["tops"][position][0]] = arrays[key]
            self.final.update({key[4:]: arrays[key] for key in arrays if key.startswith("out|")})

    def of(self, name: str) -> Array:
        return self.tops[name] if name.startswith("top|") else self.final[name]

    def inputs(self) -> dict[str, Array]:
        """Also blobs of layers that a model leaves out, which are inputs of the model if others read them."""
        return {**self.final, **self.given}


@pytest.fixture(params=KERAS)
def keras_name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    using(monkeypatch, request.param)
    name: str = request.param
    return name


class TestValues:
    @pytest.mark.parametrize("name", [name for name in RUN if name not in WITHOUT_OUTPUTS])
    def test_every_blob_is_what_caffe_computes(self, name: str, keras_name: str, tmp_path: Path) -> None:
        def outputs(net: Net, model: Model) -> Outputs:
            return (*computable(net, model), *every_blob(net, model))

        golden = Golden(name)
        got = written(fixture(name), tmp_path, outputs).run(golden.inputs())
        assert got
        errors = {blob: worst_error(array, golden.of(blob)) for blob, array in got}
        assert {blob: error for blob, error in errors.items() if error > TOLERANCE} == {}

    @pytest.mark.parametrize(
        "name", [name for name in RUN if name not in WITHOUT_OUTPUTS and not broken_nodes(graph(name))]
    )
    def test_the_outputs_of_a_whole_net_are_those_of_caffe(self, name: str, keras_name: str, tmp_path: Path) -> None:
        golden = Golden(name)
        got = dict(written(fixture(name), tmp_path).run(golden.inputs()))
        assert got
        errors = {blob: worst_error(array, golden.of(blob)) for blob, array in got.items()}
        assert {blob: error for blob, error in errors.items() if error > TOLERANCE} == {}

    @pytest.mark.parametrize("name", sorted(WITHOUT_OUTPUTS))
    def test_the_nets_left_out_have_no_outputs(self, name: str) -> None:
        net = fixture(name)
        assert computable(net, graph(name)) == ()


REFUSED = [
    pytest.param(name, number, id=f"{name}-{model.nodes[number].name}")
    for name, model in ((name, graph(name)) for name in MANIFEST["fixtures"])
    for number in sorted(broken_nodes(model))
    if not any(edge.node in broken_nodes(model) for edge in model.nodes[number].inputs)
]


def one_spaced(text: object) -> str:
    """Without the line breaks and indentation that tf_keras puts into messages."""
    return " ".join(str(text).split())


class TestRefusals:
    @pytest.mark.parametrize(("name", "number"), REFUSED)
    def test_what_keras_cannot_express_says_so(self, name: str, number: int, keras_name: str, tmp_path: Path) -> None:
        net = fixture(name)
        node = graph(name).nodes[number]
        layer = net.layers[node.origins[0]]
        made = written(net, tmp_path, lambda net, model: (("it", Value(Edge(number), UNKNOWN)),))
        with pytest.raises(NotImplementedError) as refused:
            model = imported(made.path).build_model()
            model([np.ones([size or 2 for size in each.shape], "f4") for each in model.inputs])
        assert f"{layer.name} ({layer.type}): {node.problem}" in one_spaced(refused.value)

    @pytest.mark.parametrize("type_name", ["Unheard", 'It"""s', "Line\nbreak", "{0}", "back\\slash"])
    def test_a_type_that_nobody_knows_is_named(self, type_name: str, keras_name: str, tmp_path: Path) -> None:
        net = net_of(input_text("data", 2, 3) + layer_text("it", "Unheard", "data"))
        net = replace(net, layers=(net.layers[0], replace(net.layers[1], type=type_name)))
        with pytest.raises(NotImplementedError) as refused:
            imported(written(net, tmp_path).path).build_model()
        assert f"it ({one_spaced(type_name)}): " in one_spaced(refused.value)

    def test_where_shapes_are_known_the_model_is_built_and_cut_before_it(self, keras_name: str, tmp_path: Path) -> None:
        text = (
            input_text("data", 1, 3, 4, 4)
            + layer_text("conv", "Convolution", "data", more="convolution_param { num_output: 2 kernel_size: 1 }")
            + layer_text("odd", "Quantization", "conv")
            + layer_text("relu", "ReLU", "odd")
        )
        net = net_of(text, [("conv", [values(2, 3, 1, 1), values(2)])])
        made = written(net, tmp_path)
        model = made.filled()
        assert [tuple(each.shape) for each in model.outputs] == [(None, 2, 4, 4)]
        with pytest.raises(NotImplementedError, match=r"odd \(Quantization\)"):
            model(np.ones((1, 4, 4, 3), "f4"))
        cut = type(model)(model.inputs, model.get_layer("conv").output)
        assert cut(np.ones((1, 4, 4, 3), "f4")).shape == (1, 4, 4, 2)


HOSTILE = (
    'double"quote', "single'quote", "both\"'", '"""', "'''", 'end"""\nimport os\nos.abort()\n"""', "new\nline", "\r",
    "tab\t", "back\\slash\\", "\\", "{brace}", "{0}", "%s", "#", "class", "None", "keras", "layers", "model", "inputs",
    "build_model", "1st", "2", "-", "_", "__import__('os')", "/add", "a/b", "a_b", "A_B", "a b", "größe", "層",
    "\u2028", "\x7f", "\x1b[31m", "x" * 500, "x" * 499 + "y", "print", "data", "data_1", " ", "os", "zip",
)  # fmt: skip
NO_GROUPS = ("add/", "a//b", ".", "..")
"""HDF5 has no group for these, or none beside the others."""


def chain_of(names: tuple[str, ...], net_name: str = "net", given: str = "data") -> Net:
    """Convolutions one behind the other, with such names of layers and blobs."""
    plain = [f"plain{number}" for number in range(len(names))]
    text = input_text("given", 1, 2, 3, 3)
    for before, name in zip(["given", *plain], plain, strict=False):
        text += layer_text(name, "Convolution", before, more="convolution_param { num_output: 2 kernel_size: 1 }")
    net = filled(text)
    called = {"given": given, **dict(zip(plain, names, strict=True))}
    layers = tuple(
        replace(
            layer,
            name=called[layer.name],
            bottoms=tuple(called[each] for each in layer.bottoms),
            tops=tuple(called[each] for each in layer.tops),
            blobs=tuple(replace(blob, array=random_like(blob.array, number)) for blob in layer.blobs),
        )
        for number, layer in enumerate(net.layers)
    )
    return replace(net, name=net_name, layers=layers)


def random_like(array: Array, seed: int) -> Array:
    values: Array = np.random.default_rng(seed).uniform(-1, 1, array.shape).astype(np.float32)
    return values


def calls(text: str) -> collections.Counter[str]:
    """What a file calls, and how often; for what is called by a name, that name."""
    return collections.Counter(
        ast.unparse(node.func) if not isinstance(node.func, ast.Call) else "a layer"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
    )


def kinds(text: str) -> list[str]:
    """The statements of a file, in order."""
    return [type(node).__name__ for node in ast.walk(ast.parse(text)) if isinstance(node, ast.stmt)]


class TestHostileNames:
    harmless = tuple(f"layer{number}" for number in range(len(HOSTILE)))

    def test_they_are_data(self) -> None:
        text = source_of(chain_of(HOSTILE, '"""\nimport os\n', "in\nput'"))
        compile(text, "out.py", "exec")
        harmless = source_of(chain_of(self.harmless))
        assert calls(text) == calls(harmless)
        assert kinds(text) == kinds(harmless)

    @pytest.mark.parametrize("name", [*HOSTILE, *NO_GROUPS], ids=ascii)
    def test_each_is_data_as_the_name_of_anything(self, name: str) -> None:
        text = source_of(chain_of((name,), name, "given" if name == "data" else "data"))
        assert calls(text) == calls(source_of(chain_of(("layer0",))))
        assert text.isascii()

    def test_the_weights_are_loaded_and_compute_the_same(self, keras_name: str, tmp_path: Path) -> None:
        blob = {"data": random_like(np.zeros((1, 2, 3, 3)), 5)}
        given = "given by\nwhom"
        [(name, hostile)] = written(chain_of(HOSTILE, "'", given), tmp_path / "hostile").run({given: blob["data"]})
        [(_, harmless)] = written(chain_of(self.harmless), tmp_path / "harmless").run(blob)
        np.testing.assert_array_equal(hostile, harmless)
        assert name == HOSTILE[-1]


class TestText:
    def test_the_same_net_gives_the_same_bytes(self) -> None:
        program = (
            "import hashlib; from tests.writing.test_python_source import *; "
            "print([hashlib.sha256(source_of(fixture(name)).encode()).hexdigest() for name in RUN])"
        )
        digests = {
            subprocess.run(
                [sys.executable, "-c", program],
                cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True,
            ).stdout
            for seed in ("1", "2")
        }  # fmt: skip
        here = [hashlib.sha256(source_of(fixture(name)).encode()).hexdigest() for name in RUN]
        assert digests == {f"{here}\n".encode()}

    def test_ruff_has_nothing_to_say(self, tmp_path: Path) -> None:
        ruff = shutil.which("ruff", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        if ruff is None:
            pytest.skip("ruff is not installed")
        for name in MANIFEST["fixtures"]:
            (tmp_path / f"{name}.py").write_text(source_of(fixture(name)), encoding="utf-8")
        (tmp_path / "hostile.py").write_text(source_of(chain_of(HOSTILE)), encoding="utf-8")
        for command in (["check", "--isolated"], ["format", "--isolated", "--check", "--diff"]):
            ran = subprocess.run([ruff, *command, str(tmp_path)], capture_output=True, text=True, check=False)
            assert ran.returncode == 0, ran.stdout[-4000:]

    def test_a_deep_net_has_a_line_for_every_layer(self) -> None:
        text = input_text("layer0", 1, 3, 8, 8)
        for number in range(1, 3001):
            text += layer_text(f"layer{number}", "ReLU", f"layer{number - 1}")
        assert calls(source_of(net_of(text)))["layers.ReLU"] == 3000


class TestProgram:
    def test_it_prints_the_summary(self, keras_name: str, tmp_path: Path) -> None:
        path = written(fixture("residual_block"), tmp_path).path
        ran = subprocess.run([sys.executable, path.name], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr[-2000:]
        assert "Conv2D" in ran.stdout
        assert "Total params" in ran.stdout

    def test_it_ends_with_an_error_when_its_weights_are_gone(self, keras_name: str, tmp_path: Path) -> None:
        made = written(fixture("residual_block"), tmp_path)
        made.weights.unlink()
        ran = subprocess.run([sys.executable, str(made.path)], capture_output=True, check=False)
        assert ran.returncode != 0


class TestLoadWeights:
    @pytest.fixture()
    def made(self, keras_name: str, tmp_path: Path) -> Written:
        return written(fixture("lenet_like"), tmp_path)

    def load(self, made: Written) -> None:
        module = imported(made.path)
        module.load_weights(module.build_model(), str(made.weights))

    def stored(self, made: Written) -> list[str]:
        with h5py.File(made.weights) as file:
            return [name.decode() for name in file.attrs["layer_names"] if len(file[name])]

    def test_a_file_that_a_newer_keras_saved_loads(self, made: Written) -> None:
        """Its names are text, where ours are bytes."""
        with h5py.File(made.weights, "r+") as file:
            for each in (file, *(file[name] for name in self.stored(made))):
                for key, names in list(each.attrs.items()):
                    if key in ("layer_names", "weight_names"):
                        del each.attrs[key]
                        each.attrs[key] = [name.decode() for name in names]
            assert isinstance(file.attrs["layer_names"][0], str)
        self.load(made)

    def test_a_layer_is_missing_in_the_file(self, made: Written) -> None:
        gone = self.stored(made)[1]
        with h5py.File(made.weights, "r+") as file:
            file.attrs["layer_names"] = [name for name in file.attrs["layer_names"] if name.decode() != gone]
            del file[gone]
        with pytest.raises(ValueError, match=f"has no layer '{gone}'"):
            self.load(made)

    def test_the_file_has_a_layer_more(self, made: Written) -> None:
        with h5py.File(made.weights, "r+") as file:
            file.copy(self.stored(made)[0], "one_more")
            file.attrs["layer_names"] = [*file.attrs["layer_names"], b"one_more"]
        with pytest.raises(ValueError, match=r"layers that the model lacks: \['one_more'\]"):
            self.load(made)

    @pytest.mark.parametrize("position", [0, 1], ids=["kernel", "bias"])
    def test_an_array_does_not_fit(self, made: Written, position: int) -> None:
        with h5py.File(made.weights, "r+") as file:
            group = file[self.stored(made)[0]]
            name = group.attrs["weight_names"][position]
            shape = group[name].shape
            del group[name]
            group[name] = np.zeros((*shape[:-1], shape[-1] + 1), np.float32)
        with pytest.raises(ValueError):
            self.load(made)

    def test_an_array_is_missing(self, made: Written) -> None:
        with h5py.File(made.weights, "r+") as file:
            group = file[self.stored(made)[0]]
            group.attrs["weight_names"] = group.attrs["weight_names"][:1]
        with pytest.raises(ValueError):
            self.load(made)


def test_another_size_of_input_is_refused(keras_name: str, tmp_path: Path) -> None:
    module: Any = imported(written(fixture("lenet_like"), tmp_path).path)
    with pytest.raises(ValueError, match="made for inputs of"):
        module.build_model((5, 5, 1))
