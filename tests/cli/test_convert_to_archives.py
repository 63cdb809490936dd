"""`caffeconv convert --format keras`: what it writes, what it says, and what it refuses."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.support.command import caffeconv
from tests.support.net_builder import input_text, layer_text, values, write_caffemodel, write_text
from tests.support.places import FIXTURES

LENET = (FIXTURES / "lenet_like" / "net.prototxt", FIXTURES / "lenet_like" / "net.caffemodel")
CONV = "convolution_param { num_output: 2 kernel_size: 1 }"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "in")


def unheard_of(folder: Path) -> tuple[Path, Path]:
    """A net with a layer for which there is no form."""
    (folder / "in").mkdir()
    text = input_text("data", 1, 3, 4, 4) + layer_text("conv", "Convolution", "data", more=CONV)
    text += layer_text("odd", "NobodyKnowsThis", "conv")
    weights = [("conv", [values(2, 3, 1, 1), values(2)])]
    return write_text(folder / "in" / "p", text), write_caffemodel(folder / "in" / "c", weights)


def test_one_file_holds_model_and_weights(tmp_path: Path) -> None:
    outcome = caffeconv("--format", "keras", tmp_path / "out", *LENET)
    assert (outcome.status, outcome.err) == (0, "")
    path = tmp_path / "out.keras"
    assert outcome.out == f"{path}: the model with its weights, for keras.saving.load_model\n"
    assert names(tmp_path) == ["out.keras"]
    assert zipfile.is_zipfile(path)


def test_an_ending_is_not_added_twice(tmp_path: Path) -> None:
    assert caffeconv("-f", "keras", tmp_path / "out.keras", *LENET).status == 0
    assert names(tmp_path) == ["out.keras"]


def test_it_stands_beside_other_formats(tmp_path: Path) -> None:
    formats = [word for name in ("hdf5", "py", "keras", "pickle") for word in ("-f", name)]
    outcome = caffeconv(*formats, "--report", tmp_path / "report.json", tmp_path / "out", *LENET)
    assert outcome.status == 0, outcome.err
    assert names(tmp_path) == ["out.h5", "out.keras", "out.pkl", "out.py", "report.json"]
    alone = tmp_path / "alone"
    assert caffeconv("-f", "keras", alone, *LENET).status == 0
    assert alone.with_suffix(".keras").read_bytes() == (tmp_path / "out.keras").read_bytes()


def test_what_has_no_form_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    files = unheard_of(tmp_path)
    (tmp_path / "out.h5").write_bytes(b"before")
    outcome = caffeconv("-f", "hdf5", "-f", "keras", "-f", "pickle", tmp_path / "out", *files)
    assert outcome.status == 1
    assert "odd (NobodyKnowsThis)" in outcome.err
    assert "--format py" in outcome.err
    assert names(tmp_path) == ["out.h5"]
    assert (tmp_path / "out.h5").read_bytes() == b"before"


@pytest.mark.parametrize(
    "option",
    [
        pytest.param(["--backend", "theano"], id="backend"),
        pytest.param(["--slash", "_"], id="slash"),
        pytest.param(["--rename", "names"], id="rename"),
    ],
)
def test_options_without_a_meaning_are_wrong_usage(option: list[str], tmp_path: Path) -> None:
    outcome = caffeconv("-f", "keras", *option, tmp_path / "out", *LENET)
    assert outcome.status == 2
    assert option[0].removeprefix("--").replace("-", "_") in outcome.err.replace("-", "_")
    assert not list(tmp_path.iterdir())


def test_names_are_for_the_weights_beside_it(tmp_path: Path) -> None:
    assert caffeconv("-f", "keras", "-f", "hdf5", "--slash", "_", tmp_path / "out", *LENET).status == 0
    assert names(tmp_path) == ["out.h5", "out.keras"]


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    weights = tmp_path / "out.keras"
    weights.write_bytes(LENET[1].read_bytes())
    outcome = caffeconv("-f", "keras", tmp_path / "out", LENET[0], weights)
    assert outcome.status == 1
    assert weights.read_bytes() == LENET[1].read_bytes()
