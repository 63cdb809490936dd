"""The options of `caffeconv convert` that change names or arrays, and the report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffeconv import convert_caffemodel_to_dict
from tests.support.command import caffeconv, environment
from tests.support.places import FIXTURES

RESIDUAL = (FIXTURES / "residual_block" / "net.prototxt", FIXTURES / "residual_block" / "net.caffemodel")
LENET = (FIXTURES / "lenet_like" / "net.prototxt", FIXTURES / "lenet_like" / "net.caffemodel")
BN_ALONE = (FIXTURES / "batch_norm" / "net.prototxt", FIXTURES / "batch_norm" / "net.caffemodel")


def arrays(path: Path) -> dict[str, list[np.ndarray]]:
    """Layer name -> its arrays, in load order."""
    with h5py.File(path) as file:
        names = [name.decode() for name in file.attrs["layer_names"]]
        return {name: [file[name][weight][()] for weight in file[name].attrs["weight_names"]] for name in names}


def stored(net: tuple[Path, Path]) -> dict[str, list[np.ndarray]]:
    return {layer["name"]: layer["weights"] for layer in convert_caffemodel_to_dict(*net)}


class TestFileOfNames:
    @pytest.mark.parametrize(
        ("words", "name"),
        [pytest.param(["out", "--report", "names.json"], "names.json", id="report"),
         pytest.param(["names"], "names.h5", id="output")],
    )  # fmt: skip
    def test_is_never_written_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], name: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path(name).write_text("conv1=first\n")
        outcome = caffeconv(*words[:1], *RESIDUAL, *words[1:], "--rename", name)
        assert (outcome.status, outcome.err.count("\n")) == (1, 1)
        assert [path.name for path in tmp_path.iterdir()] == [name]
        assert Path(name).read_text() == "conv1=first\n"

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
    def test_may_be_no_pipe(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "names")
        outcome = caffeconv(tmp_path / "out", *RESIDUAL, "--rename", tmp_path / "names")
        assert (outcome.status, outcome.err) == (1, f"error: {tmp_path / 'names'} is not a regular file\n")


class TestRename:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param('{"conv1": "first", "fc": "last"}', id="json"),
            pytest.param("# new names\nconv1=first\n\nfc=last\n", id="lines"),
            pytest.param("\ufeffconv1=first\r\nfc=last\r\n", id="lines-from-windows"),
        ],
    )
    def test_both_forms(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "names").write_text(text, "utf-8", newline="")
        outcome = caffeconv(tmp_path / "out", *RESIDUAL, "--rename", tmp_path / "names", "--slash", "_")
        assert (outcome.status, outcome.err) == (0, "")
        assert list(arrays(tmp_path / "out.h5"))[:2] == ["first", "conv1_bn"]
        assert list(arrays(tmp_path / "out.h5"))[-1] == "last"

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            pytest.param("conv1", "names:1: expected old=new, got 'conv1'", id="no-equals"),
            pytest.param("a=b\nconv1=\n", "names:2: expected old=new", id="no-new-name"),
            pytest.param("conv1=a\nconv1=b\n", 'names:2: a second new name for "conv1"', id="twice"),
            pytest.param('{"conv1": 1}', "expected an object of names only", id="json-number"),
            pytest.param('{"conv1": ', "names:1:11: Expecting value", id="json-cut"),
            pytest.param('{"a":' * 100000, "names: nested too deeply", id="json-deep"),
            pytest.param('{"conv1": ' + "1" * 5000 + "}", "digits", id="long-number"),
            pytest.param("no_such=x", 'there is no layer "no_such" to rename', id="unknown-layer"),
            pytest.param("conv1=fc", 'layers "conv1" and "fc" would both be called "fc"', id="collision"),
        ],
    )
    def test_refused(self, tmp_path: Path, text: str, message: str) -> None:
        (tmp_path / "names").write_text(text)
        outcome = caffeconv(tmp_path / "out", *RESIDUAL, "--rename", tmp_path / "names")
        assert outcome.status == 1
        assert outcome.err.startswith("error: ")
        assert message in outcome.err
        assert outcome.err.count("\n") == 1
        assert not (tmp_path / "out.h5").exists()

    def test_missing_file(self, tmp_path: Path) -> None:
        outcome = caffeconv(tmp_path / "out", *RESIDUAL, "--rename", tmp_path / "none")
        assert (outcome.status, outcome.out) == (1, "")
        assert "none cannot be read: No such file or directory" in outcome.err


class TestReport:
    def test_says_what_each_layer_must_be(self, tmp_path: Path) -> None:
        outcome = caffeconv(tmp_path / "out", *LENET, "--report", tmp_path / "report.json")
        assert outcome.status == 0
        report = json.loads((tmp_path / "report.json").read_text("utf-8"))
        dense = next(layer for layer in report["layers"] if layer["name"] == "ip1")
        assert dense["caffe_layers"] == ["ip1"]
        assert dense["before"] == [{"class_name": "Flatten", "arguments": {}}]
        assert dense["keras"] == {"class_name": "Dense", "arguments": {"units": 20}}
        assert dense["weights"] == [{"name": "kernel", "shape": [72, 20]}, {"name": "bias", "shape": [20]}]
        assert [note["level"] for note in dense["notes"]] == ["info"]
        # What is said of a layer that is not in the output belongs to the net.
        assert {note["layer"] for note in report["notes"]} == {"pool1", "pool2"}

    def test_is_not_for_pickles(self, tmp_path: Path) -> None:
        outcome = caffeconv("-f", "pickle", tmp_path / "out", *LENET, "--report", tmp_path / "report.json")
        assert outcome.status == 2
        assert "--report: for --format hdf5, py or keras only" in outcome.err
        assert list(tmp_path.iterdir()) == []

    def test_that_cannot_be_written_leaves_no_weights_either(self, tmp_path: Path) -> None:
        outcome = caffeconv(tmp_path / "out", *LENET, "--report", tmp_path / "no" / "report.json")
        assert outcome.status == 1
        assert "report.json: cannot be written: there is no folder" in outcome.err
        assert list(tmp_path.iterdir()) == []

    def test_weights_that_cannot_be_written_leave_no_report(self, tmp_path: Path) -> None:
        (tmp_path / "out.h5").mkdir()
        outcome = caffeconv(tmp_path / "out", *LENET, "--report", tmp_path / "report.json")
        assert outcome.status == 1
        assert [path.name for path in tmp_path.iterdir()] == ["out.h5"]

    @pytest.mark.parametrize("which", ["net.prototxt", "net.caffemodel", "out.h5"])
    def test_is_no_other_file_of_the_conversion(self, tmp_path: Path, which: str) -> None:
        inputs = [Path(shutil.copy(path, tmp_path)) for path in LENET]
        before = [path.read_bytes() for path in inputs]
        outcome = caffeconv(tmp_path / "out", *inputs, "--report", tmp_path / which)
        assert outcome.status == 1
        assert f"{which}: is a file of this conversion already" in outcome.err
        assert [path.read_bytes() for path in inputs] == before
        assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize(
    "options",
    [
        ["--bgr-to-rgb"], ["--fold-batchnorm"], ["--complete-batchnorm"], ["--slash", "_"], ["--rename", "none"],
        ["--flatten-order", "chw"], ["--flatten-shape", "ip1=8,3,3"], ["--depthwise", "conv2d"],
    ],
    ids=lambda options: options[0],
)  # fmt: skip
def test_a_pickle_has_nothing_that_these_could_change(tmp_path: Path, options: list[str]) -> None:
    outcome = caffeconv("-f", "pickle", tmp_path / "out", *LENET, *options)
    assert outcome.status == 2
    assert f"{options[0]}: for --format hdf5, py or keras only" in outcome.err
    assert list(tmp_path.iterdir()) == []


def test_what_caffe_weight_converter_takes_with_a_pickle_is_taken(tmp_path: Path) -> None:
    outcome = caffeconv("-f", "pickle", "-n", "-u", "-b", "theano", tmp_path / "out", *LENET)
    assert (outcome.status, outcome.err) == (0, "")


@pytest.mark.parametrize("name", ["x" * 300, "", ".", "..", "folder/"])
def test_names_that_are_no_files(tmp_path: Path, name: str) -> None:
    outcome = caffeconv(str(tmp_path / "a") + "/../" + name if name else "", *LENET)
    assert outcome.status == 1
    assert outcome.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_stdout_cannot_show_is_escaped(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "caffeconv", "-v", tmp_path / "out", *LENET],
        env={**environment(), "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert rb"3\xd73\xd71\xd76" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_stdout_that_is_full_is_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "caffeconv", "layers"], env=environment(), stdout=full, stderr=subprocess.PIPE,
            check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, b"error: No space left on device\n")


def test_bgr_to_rgb_swaps_the_input_channels_of_the_first_convolution(tmp_path: Path) -> None:
    assert caffeconv(tmp_path / "bgr", *RESIDUAL).status == 0
    assert caffeconv(tmp_path / "rgb", *RESIDUAL, "--bgr-to-rgb").status == 0
    bgr, rgb = arrays(tmp_path / "bgr.h5"), arrays(tmp_path / "rgb.h5")
    np.testing.assert_array_equal(rgb["conv1"][0], bgr["conv1"][0][:, :, ::-1])
    for name in set(bgr) - {"conv1"}:
        for ours, theirs in zip(rgb[name], bgr[name], strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_fold_batchnorm_leaves_convolutions_that_do_its_work(tmp_path: Path) -> None:
    assert caffeconv(tmp_path / "out", *RESIDUAL, "--fold-batchnorm").status == 0
    folded, caffe = arrays(tmp_path / "out.h5"), stored(RESIDUAL)
    assert not [name for name in folded if name.endswith("bn")]
    mean, variance, factor = caffe["conv1/bn"]
    gamma, beta = caffe["conv1/scale"]
    slope = gamma / np.sqrt(variance / factor + 1e-5)
    kernel = caffe["conv1"][0] * slope[:, None, None, None]
    np.testing.assert_allclose(folded["conv1"][0], kernel.transpose(2, 3, 1, 0), rtol=1e-5)
    bias = caffe["conv1"][1] if len(caffe["conv1"]) > 1 else 0
    np.testing.assert_allclose(folded["conv1"][1], (bias - mean / factor) * slope + beta, rtol=1e-4, atol=1e-5)


def test_complete_batchnorm_adds_what_caffe_does_not_have(tmp_path: Path) -> None:
    assert caffeconv(tmp_path / "bare", *BN_ALONE).status == 0
    assert caffeconv(tmp_path / "full", *BN_ALONE, "--complete-batchnorm").status == 0
    bare, full = arrays(tmp_path / "bare.h5"), arrays(tmp_path / "full.h5")
    assert len(bare["alone"]) == 2
    gamma, beta, *statistics = full["alone"]
    assert (set(gamma.tolist()), set(beta.tolist())) == ({1.0}, {0.0})
    for ours, theirs in zip(statistics, bare["alone"], strict=True):
        np.testing.assert_array_equal(ours, theirs)
