"""`caffeconv inspect`."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import caffeconv, environment, in_a_process
from tests.support.net_builder import input_text, layer_text, values, write_caffemodel, write_snapshot, write_text
from tests.support.places import CHECKOUT, FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

LENET = FIXTURES / "lenet_like"


def inspected(*files: Path) -> dict[str, Any]:
    outcome = caffeconv("inspect", "--json", *files)
    assert (outcome.status, outcome.err) == (0, "")
    said: dict[str, Any] = json.loads(outcome.out)
    return said


def rows(text: str) -> dict[str, list[str]]:
    """The cells of each row of the table, by the layer's name."""
    return {
        line.split()[1]: line.split() for line in text.splitlines() if line.split()[:1] and line.split()[0].isdigit()
    }


class TestText:
    def test_a_prototxt(self) -> None:
        outcome = caffeconv("inspect", LENET / "net.prototxt")
        assert (outcome.status, outcome.err) == (0, "")
        lines = outcome.out.splitlines()
        assert lines[0].startswith(f"{LENET / 'net.prototxt'}: prototxt")
        assert "V2" in lines[0]
        assert rows(outcome.out)["conv1"] == ["1", "conv1", "Convolution", "data", "2×1×16×18", "conv1", "2×6×14×16"]
        assert lines[-1] == "11 layers, 0 with weights, 0 parameters"

    def test_a_caffemodel(self) -> None:
        outcome = caffeconv("inspect", LENET / "net.caffemodel")
        assert rows(outcome.out)["conv1"][:3] == ["1", "conv1", "Convolution"]
        assert "6×1×3×3" in outcome.out
        assert outcome.out.splitlines()[-1].startswith("11 layers, 4 with weights, ")

    def test_a_snapshot(self) -> None:
        outcome = caffeconv("inspect", LENET / "net.caffemodel.h5")
        assert outcome.status == 0
        assert "HDF5 snapshot" in outcome.out.splitlines()[0]
        assert "6×1×3×3" in outcome.out

    def test_both(self) -> None:
        outcome = caffeconv("inspect", LENET / "net.caffemodel", LENET / "net.prototxt")
        assert outcome.status == 0
        row = rows(outcome.out)["ip2"]
        assert row[:3] == ["9", "ip2", "InnerProduct"]
        assert row[-3:] == ["5×20,", "5", "105"]

    @pytest.mark.parametrize("name", ["legacy_v0", "legacy_v1"])
    def test_generations(self, name: str) -> None:
        for file in ("net.prototxt", "net.written.caffemodel"):
            outcome = caffeconv("inspect", FIXTURES / name / file)
            assert outcome.out.splitlines()[0].endswith(name[-2:].upper())

    def test_control_characters_never_reach_the_terminal(self, tmp_path: Path) -> None:
        text = layer_text(r"a\033[31mb", r"T\033]0;x\007", r"in\r", r"out\n")
        outcome = caffeconv("inspect", write_text(tmp_path / "p", text))
        assert outcome.status == 0
        assert set(map(ord, outcome.out + outcome.err)) & {*range(32), 127, *range(128, 160)} == {10}
        assert r"a\x1b[31mb" in outcome.out

    def test_markup_is_text(self, tmp_path: Path) -> None:
        outcome = caffeconv("inspect", write_text(tmp_path / "p", layer_text("[red]x[/red]", "Input", tops="x")))
        assert "[red]x[/red]" in outcome.out

    def test_wide_tables_are_not_wrapped_in_a_pipe(self, tmp_path: Path) -> None:
        name = "x" * 300
        outcome = in_a_process("inspect", write_text(tmp_path / "p", layer_text(name, "Input", tops="x")))
        assert name in outcome.out

    def test_missing_weights_are_said_and_stop_nothing(self, tmp_path: Path) -> None:
        outcome = caffeconv("inspect", LENET / "net.prototxt", write_caffemodel(tmp_path / "c", [("x", [values(1)])]))
        assert outcome.status == 0
        assert outcome.err.count("without weights in the caffemodel") == 4

    def test_options_of_the_net(self) -> None:
        path = FIXTURES / "phases_stages" / "net.prototxt"
        assert "two_stages" not in caffeconv("inspect", path).out
        assert "two_stages" in caffeconv("inspect", "--stage", "deploy", "--stage", "extra", path).out
        assert "5×1×16×18" in caffeconv("inspect", "--input-shape", "data=5,1,16,18", LENET / "net.prototxt").out


class TestJson:
    def test_a_prototxt_and_a_caffemodel(self) -> None:
        said = inspected(LENET / "net.prototxt", LENET / "net.caffemodel")
        assert said["name"] == "lenet_like"
        assert [(file["path"], file["generation"]) for file in said["files"]] == [
            (str(LENET / "net.prototxt"), "V2"),
            (str(LENET / "net.caffemodel"), "V2"),
        ]
        assert said["layers"][1] == {
            "name": "conv1",
            "type": "Convolution",
            "bottoms": [{"name": "data", "shape": [2, 1, 16, 18]}],
            "tops": [{"name": "conv1", "shape": [2, 6, 14, 16]}],
            "blobs": [{"shape": [6, 1, 3, 3], "dtype": "float32"}, {"shape": [6], "dtype": "float32"}],
            "parameters": 60,
        }
        assert said["parameters"] == sum(layer["parameters"] for layer in said["layers"]) == 60 + 440 + 1460 + 105

    def test_unknown_shapes_are_null(self, tmp_path: Path) -> None:
        said = inspected(write_text(tmp_path / "p", layer_text("r", "ReLU", "x")))
        assert said["layers"][0]["tops"] == [{"name": "r", "shape": None}]
        assert [(note["level"], note["layer"]) for note in said["notes"]] == [("warning", "r")]

    def test_a_double(self) -> None:
        said = inspected(FIXTURES / "conv_2d" / "net.double.caffemodel")
        assert {blob["dtype"] for layer in said["layers"] for blob in layer["blobs"]} == {"float64"}

    def test_a_snapshot(self, tmp_path: Path) -> None:
        said = inspected(write_snapshot(tmp_path / "x", [("conv", [values(2, 3)])]))
        assert said["files"][0]["generation"] is None
        assert [layer["name"] for layer in said["layers"]] == ["conv"]

    def test_any_name_comes_back(self, tmp_path: Path) -> None:
        text = input_text("data", 1) + layer_text(r"a\033\"\\ \n é 卷", "ReLU", "data", "x")
        assert inspected(write_text(tmp_path / "p", text))["layers"][1]["name"] == 'a\x1b"\\ \n é 卷'


class TestFailures:
    def test_one_line_and_status_1(self, tmp_path: Path) -> None:
        for options in ([], ["--json"]):
            outcome = caffeconv("inspect", *options, tmp_path / "nothing")
            assert (outcome.status, outcome.out) == (1, "")
            assert outcome.err.startswith("error: ")
            assert outcome.err.count("\n") == 1

    def test_two_of_a_kind(self) -> None:
        outcome = caffeconv("inspect", LENET / "net.prototxt", LENET / "net.prototxt")
        assert outcome.status == 1
        assert outcome.err.endswith(": two files of one kind; give one prototxt and one caffemodel\n")

    def test_a_reader_that_has_gone(self, tmp_path: Path) -> None:
        """As in `caffeconv inspect … | head -1`: no traceback, and nothing else on stderr."""
        text = "".join(layer_text(f"layer_{number}", "Input") for number in range(3000))
        path = write_text(tmp_path / "p", text)
        process = subprocess.Popen(
            [sys.executable, "-m", "caffeconv", "inspect", str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), cwd=CHECKOUT,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        process.stderr.close()
        assert (process.wait(60), said) == (0, b"")
