"""Names that Keras refuses are told, and no others: real Keras 2 and Keras 3 are asked for each."""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.refused_names import with_name_notes
from caffeconv.model import LayerWeights, Result, Weight
from tests.support.command import caffeconv
from tests.support.net_builder import input_text, layer_text, values, write_caffemodel, write_text
from tests.support.python_models import KERAS, imported, using

INSIDE = [f"a{character}b" for character in (*string.punctuation, " ", "\t", "é", "日")]
FIRST = ["_b", "-b", ">b", ".b", "9b"]
ENDS = ["b_", "b-", "class", "None", "B"]
NAMES = [*INSIDE, *FIRST, *ENDS]

NEITHER = "neither tf-keras nor Keras 3"
BY_KERAS = {"keras": (NEITHER, "Keras 3 takes no"), "tf_keras": (NEITHER, "tf-keras does not take")}


def told_of(*names: str) -> list[tuple[str, str]]:
    weight = Weight("kernel", values(2), (2,))
    result = with_name_notes(Result(tuple(LayerWeights(name, "InnerProduct", (name,), (weight,)) for name in names)))
    return [(note.level, note.text) for note in result.notes]


@pytest.mark.parametrize("keras_name", KERAS)
def test_just_those_that_keras_refuses(keras_name: str) -> None:
    keras = pytest.importorskip(keras_name)
    told = {name for name in NAMES if any(words in text for _, text in told_of(name) for words in BY_KERAS[keras_name])}
    assert {name for name in NAMES if not is_taken(keras, name)} == told


def is_taken(keras: Any, name: str) -> bool:
    """Whether a model with such a layer can be made, and run."""
    try:
        image = keras.layers.Input((2,))
        keras.Model(image, keras.layers.Dense(1, name=name)(image)).predict(np.zeros((1, 2), np.float32), verbose=0)
    except Exception:  # whatever Keras or TensorFlow raises
        return False
    finally:
        keras.backend.clear_session()
    return True


class TestNotes:
    def test_one_line_for_many(self) -> None:
        assert told_of("x y", "x", "_h", "a/b", *(f"{number}:0" for number in range(9)), "-k") == [
            (
                "warning",
                "give --keras-names, or --rename, for Keras models: neither tf-keras nor Keras 3 on TensorFlow takes "
                'the names "x y", "0:0", "1:0", "2:0", "3:0" and 5 more',
            ),
            (
                "warning",
                'give --keras-names, or --rename, for Keras models: tf-keras does not take the names "_h", "-k"',
            ),
            (
                "info",
                "give --slash, --keras-names or --rename, for Keras models: Keras 3 takes no slash, which is in the "
                'name "a/b"',
            ),
        ]

    def test_a_name_that_goes_on_for_pages_is_cut(self) -> None:
        ((_, text),) = told_of("é" * 9999)
        assert len(text) < 300

    def test_names_of_layers_without_weights_do_not_matter(self) -> None:
        assert with_name_notes(Result((LayerWeights("a b", "ReLU", ("a b",)),))).notes == ()


DENSE = "inner_product_param { num_output: 3 bias_term: false }"
ODD = ["inc/1x1", "inc_1x1", "_h", "groß", "grob", "a b", "a:b", "A_B", "plain", "日本"]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A net of one layer for each odd name, whose kernel has the layer's number in it."""
    blobs = ["data", *(f"blob{number}" for number in range(len(ODD)))]
    text = input_text("data", 1, 3) + "".join(
        layer_text(name, "InnerProduct", below, above, DENSE)
        for name, below, above in zip(ODD, blobs, blobs[1:], strict=False)
    )
    kernels = [(name, [values(3, 3, start=10 * number)]) for number, name in enumerate(ODD)]
    return write_text(tmp_path / "net.prototxt", text), write_caffemodel(tmp_path / "net.caffemodel", kernels)


class TestKerasNames:
    @pytest.mark.parametrize("keras_name", KERAS)
    def test_every_keras_takes_them(
        self, keras_name: str, files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keras = pytest.importorskip(keras_name)
        using(monkeypatch, keras_name)
        report = tmp_path / "report.json"
        outcome = caffeconv("--keras-names", "-f", "hdf5", "-f", "py", "--report", report, tmp_path / "out", *files)
        assert (outcome.status, outcome.err) == (0, "")
        layers = json.loads((tmp_path / "report.json").read_text())["layers"]
        back = {layer["name"]: layer["caffe_layers"] for layer in layers}
        assert list(back.values()) == [[name] for name in ODD]
        assert back["plain"] == ["plain"]
        x = image = keras.layers.Input((3,))
        for name in back:
            x = keras.layers.Dense(3, use_bias=False, name=name)(x)
        own = keras.Model(image, x)
        own.load_weights(str(tmp_path / "out.h5"), by_name=True)
        own.predict(np.zeros((1, 3), np.float32), verbose=0)
        written = imported(tmp_path / "out.py").build_model()
        written.load_weights(str(tmp_path / "out.h5"), by_name=True)
        for model in (own, written):
            kernels = {layer.name: layer.get_weights()[0] for layer in model.layers if layer.weights}
            assert list(kernels) == list(back)
            for number, name in enumerate(back):
                np.testing.assert_array_equal(kernels[name], values(3, 3, start=10 * number).T)

    def test_a_new_name_of_ones_own_stays(self, files: tuple[Path, Path], tmp_path: Path) -> None:
        (tmp_path / "names").write_text("a b=inc_1x1\nplain=x y\n")
        rename, report = tmp_path / "names", tmp_path / "report.json"
        outcome = caffeconv("--keras-names", "--rename", rename, "--report", report, tmp_path / "out", *files)
        assert outcome.status == 0
        assert outcome.err.splitlines() == [
            "warning: give --keras-names, or --rename, for Keras models: neither tf-keras nor Keras 3 on TensorFlow "
            'takes the name "x y"'
        ]
        layers = json.loads((tmp_path / "report.json").read_text())["layers"]
        names = {layer["caffe_layers"][0]: layer["name"] for layer in layers}
        assert (names["a b"], names["plain"]) == ("inc_1x1", "x y")
        assert len(set(names.values())) == len(ODD)

    def test_layers_that_are_listed_without_weights(self, tmp_path: Path) -> None:
        text = input_text("d", 1, 3) + layer_text("r e", "ReLU", "d", "x")
        text += layer_text("r_e", "InnerProduct", "x", "y", DENSE)
        files = write_text(tmp_path / "p", text), write_caffemodel(tmp_path / "c", [("r_e", [values(3, 3)])])
        outcome = caffeconv("-n", "--keras-names", "--report", tmp_path / "r", tmp_path / "out", *files)
        assert (outcome.status, outcome.err) == (0, "")
        names = [layer["name"] for layer in json.loads((tmp_path / "r").read_text())["layers"]]
        assert len(set(names)) == 3
        assert "r e" not in names

    @pytest.mark.parametrize("file_format", ["pickle", "keras"])
    def test_is_for_files_of_weights(self, file_format: str, files: tuple[Path, Path], tmp_path: Path) -> None:
        outcome = caffeconv("-f", file_format, "--keras-names", tmp_path / "out", *files)
        assert (outcome.status, "--keras-names: for --format hdf5" in outcome.err) == (2, True)

    @pytest.mark.parametrize("file_format", ["py", "keras"])
    def test_written_models_have_them_anyway(self, file_format: str, files: tuple[Path, Path], tmp_path: Path) -> None:
        outcome = caffeconv("-f", file_format, tmp_path / "out", *files)
        assert (outcome.status, outcome.err) == (0, "")
