"""Bad input through the command line: one clear line, status 1, nothing written, nothing lost."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import zipfile
from pathlib import Path

import h5py
import pytest

from tests.support.command import Outcome, caffeconv, in_a_process
from tests.support.net_builder import input_text, layer_text, values, write_caffemodel, write_snapshot, write_text
from tests.support.places import FIXTURES

LENET = FIXTURES / "lenet_like"
PROTOTXT, CAFFEMODEL = LENET / "net.prototxt", LENET / "net.caffemodel"

LFS_POINTER = b"""version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 553432081
"""
HTML = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>\n"


def junk(path: Path, kind: str) -> Path:
    """A file, or what is not one, of a kind that no option takes."""
    if kind == "folder":
        path.mkdir()
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.write(CAFFEMODEL, "net.caffemodel")
    elif kind == "keras":
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = [b"conv1"]
            file.create_group("conv1")
    elif kind != "missing":
        path.write_bytes(
            {
                "empty": b"",
                "html": HTML,
                "lfs": LFS_POINTER,
                "gzip": gzip.compress(CAFFEMODEL.read_bytes()),
                "zeros": bytes(4096),
                "noise": bytes(range(256)) * 16,
                "binaryproto": bytes.fromhex("08 01 10 01 18 02 20 02 2a 10") + bytes(16),  # num 1, …, data
                "python": b"import caffe\nnet = caffe.Net()\n",
            }[kind]
        )
    return path


JUNK = {
    "missing": "cannot be read: No such file or directory",
    "folder": "is a folder; a file was expected here",
    "empty": "is empty; ",
    "html": "is an HTML page, probably a failed download; ",
    "zip": "is a ZIP archive: unpack it first; ",
    "gzip": "is compressed with gzip: unpack it first; ",
    "lfs": "is a Git LFS pointer: fetch the real file with `git lfs pull`; ",
    "keras": "is an HDF5 file of Keras, not of Caffe; ",
    "zeros": "is of no kind known here, or damaged from its start; ",
    "noise": "is of no kind known here, or damaged from its start; ",
    "binaryproto": "is a binaryproto (one blob, such as a mean image), which has no layers; ",
    "python": "is a Python program: run it, if it writes the net, and give what it writes; ",
}


def refused(folder: Path, outcome: Outcome, *inputs: str) -> str:
    """The one line of a refusal, without `error: `; nothing but the inputs may lie in the folder."""
    assert outcome.status == 1
    assert outcome.out == ""
    assert re.fullmatch(r"error: [^\x00-\x1f\x7f-\x9f]+\n", outcome.err), repr(outcome.err)
    assert sorted(path.name for path in folder.iterdir()) == sorted(inputs)
    return outcome.err.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize("file_format", ["hdf5", "pickle"])
@pytest.mark.parametrize("kind", JUNK)
class TestFilesOfOtherKinds:
    def test_as_the_caffemodel(self, kind: str, file_format: str, tmp_path: Path) -> None:
        path = junk(tmp_path / "x", kind)
        line = refused(
            tmp_path, caffeconv("-f", file_format, tmp_path / "out", PROTOTXT, path), *(["x"] if path.exists() else [])
        )
        assert line.startswith(f"{path} {JUNK[kind]}")
        if JUNK[kind].endswith("; "):
            assert line.endswith("the caffemodel (binary weights) or Caffe's HDF5 snapshot was expected here")

    def test_as_the_prototxt(self, kind: str, file_format: str, tmp_path: Path) -> None:
        path = junk(tmp_path / "x", kind)
        line = refused(
            tmp_path,
            caffeconv("-f", file_format, tmp_path / "out", path, CAFFEMODEL),
            *(["x"] if path.exists() else []),
        )
        assert line.startswith(f"{path} {JUNK[kind]}")
        if JUNK[kind].endswith("; "):
            assert line.endswith("the prototxt (text) was expected here")


class TestFilesThatDoNotFit:
    def test_swapped(self, tmp_path: Path) -> None:
        line = refused(tmp_path, caffeconv(tmp_path / "out", CAFFEMODEL, PROTOTXT))
        assert line.startswith(f"{PROTOTXT} is a prototxt (text); the caffemodel")

    def test_the_prototxt_twice(self, tmp_path: Path) -> None:
        line = refused(tmp_path, caffeconv(tmp_path / "out", PROTOTXT, PROTOTXT))
        assert line.startswith(f"{PROTOTXT} is a prototxt (text); the caffemodel")

    def test_the_caffemodel_twice(self, tmp_path: Path) -> None:
        line = refused(tmp_path, caffeconv(tmp_path / "out", CAFFEMODEL, CAFFEMODEL))
        assert line == f"{CAFFEMODEL} is a caffemodel (binary weights); the prototxt (text) was expected here"

    def test_weights_of_another_net(self, tmp_path: Path) -> None:
        other = FIXTURES / "batch_norm" / "net.caffemodel"
        line = refused(tmp_path, caffeconv(tmp_path / "out", PROTOTXT, other))
        assert line == (
            "the caffemodel seems to be of another net: conv1 (Convolution) has no weights in the caffemodel; "
            'without weights, too: conv2, ip1, ip2; "--allow-missing all" goes on without | also warned: weights of '
            "layers that the prototxt does not have are left out: alone, with_scale, scale, in_place, in_place_scale "
            "and 3 more"
        )

    def test_weights_of_other_shapes(self, tmp_path: Path) -> None:
        text = PROTOTXT.read_text().replace("num_output: 20", "num_output: 21")
        path = write_text(tmp_path / "p", text)
        line = refused(tmp_path, caffeconv(tmp_path / "out", path, CAFFEMODEL), "p")
        assert line.startswith("ip1 (InnerProduct): blob 0 has shape (20, 72), expected (21, 72): ")

    def test_a_layer_by_another_name(self, tmp_path: Path) -> None:
        path = write_text(tmp_path / "p", PROTOTXT.read_text().replace('name: "conv2"', 'name: "conv_2"'))
        line = refused(tmp_path, caffeconv(tmp_path / "out", path, CAFFEMODEL), "p")
        assert line == (
            'conv_2 (Convolution) has no weights in the caffemodel; the nearest name in the caffemodel is "conv2"; '
            '"--allow-missing conv_2" goes on without | also warned: weights of layers that the prototxt does not have '
            "are left out: conv2"
        )

    def test_a_solver(self, tmp_path: Path) -> None:
        path = write_text(tmp_path / "solver.prototxt", 'net: "train_val.prototxt"\nbase_lr: 0.01\nmax_iter: 100\n')
        line = refused(tmp_path, caffeconv(tmp_path / "out", path, CAFFEMODEL), "solver.prototxt")
        assert line.startswith(f"{path}: this is a solver, not a net; its net is named by net: ")

    def test_a_syntax_error(self, tmp_path: Path) -> None:
        path = write_text(tmp_path / "p", 'layer {\n  name: "a"\n  type "b"\n}\n')
        line = refused(tmp_path, caffeconv(tmp_path / "out", path, CAFFEMODEL), "p")
        assert line.startswith(f"{path}:3:8: ")

    def test_a_prototxt_without_layers(self, tmp_path: Path) -> None:
        path = write_text(tmp_path / "p", 'name: "empty"\n')
        line = refused(tmp_path, caffeconv(tmp_path / "out", path, CAFFEMODEL), "p")
        assert line.startswith(f"{path}: there is no layer in it")

    def test_names_with_control_characters(self, tmp_path: Path) -> None:
        """What a file says must not steer the terminal, in an error either."""
        text = input_text("data", 1, 3, 4, 4) + layer_text(
            r"a\033]0;x\007\nb", "Convolution", "data", "x", "convolution_param { num_output: 1 kernel_size: 1 }"
        )
        files = write_text(tmp_path / "p", text), write_caffemodel(tmp_path / "c", [("data", []), ("x", [values(1)])])
        refused(tmp_path, caffeconv(tmp_path / "out", *files), "p", "c")

    def test_a_snapshot_has_no_net(self, tmp_path: Path) -> None:
        path = write_snapshot(tmp_path / "x", [("conv1", [values(1)])])
        line = refused(tmp_path, caffeconv(tmp_path / "out", "-", path), "x")
        assert line == f"{path}: an HDF5 snapshot holds weights only, no net; give a prototxt, not -"


class TestDamage:
    @pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.99, 1.0])
    def test_a_truncated_caffemodel(self, kept: float, tmp_path: Path) -> None:
        data = CAFFEMODEL.read_bytes()
        path = tmp_path / "x"
        path.write_bytes(data[: min(int(len(data) * kept), len(data) - 1)])
        line = refused(tmp_path, caffeconv(tmp_path / "out", PROTOTXT, path), "x")
        assert line.startswith(f"{path}")

    def test_every_cut_is_refused_or_loses_whole_layers(self, tmp_path: Path) -> None:
        """A file that ends between two layers is a well-formed file: then the layers that lack weights are named."""
        data = CAFFEMODEL.read_bytes()
        path = tmp_path / "x"
        for length in range(0, len(data), 97):
            path.write_bytes(data[:length])
            refused(tmp_path, caffeconv(tmp_path / "out", PROTOTXT, path), "x")

    @pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
    def test_a_truncated_snapshot(self, kept: float, tmp_path: Path) -> None:
        data = (LENET / "net.caffemodel.h5").read_bytes()
        path = tmp_path / "x"
        path.write_bytes(data[: int(len(data) * kept)])
        line = refused(tmp_path, caffeconv(tmp_path / "out", PROTOTXT, path), "x")
        assert line.startswith(f"{path}")

    def test_a_truncated_prototxt(self, tmp_path: Path) -> None:
        text = PROTOTXT.read_text()
        path = write_text(tmp_path / "p", text[: text.index("kernel_size")])
        line = refused(tmp_path, caffeconv(tmp_path / "out", path, CAFFEMODEL), "p")
        assert line.startswith(f"{path}:")

    def test_brackets_without_end(self, tmp_path: Path) -> None:
        path = write_text(tmp_path / "p", "layer { param { " * 100_000)
        refused(tmp_path, caffeconv(tmp_path / "out", path, CAFFEMODEL), "p")


class TestOutputs:
    """All of these are noticed, whatever the format, and a file that was there stays."""

    @pytest.mark.parametrize("file_format", ["hdf5", "pickle"])
    def test_a_folder_that_does_not_exist(self, file_format: str, tmp_path: Path) -> None:
        out = tmp_path / "no" / "out"
        line = refused(tmp_path, caffeconv("-f", file_format, out, PROTOTXT, CAFFEMODEL))
        assert line.endswith(f"cannot be written: there is no folder {tmp_path / 'no'}")

    @pytest.mark.parametrize(("file_format", "name"), [("hdf5", "out.h5"), ("pickle", "out.pkl")])
    def test_a_folder_of_that_name(self, file_format: str, name: str, tmp_path: Path) -> None:
        (tmp_path / name).mkdir()
        line = refused(tmp_path, caffeconv("-f", file_format, tmp_path / "out", PROTOTXT, CAFFEMODEL), name)
        assert line == f"{tmp_path / name}: cannot be written: this is a folder"

    def test_a_name_that_keras_3_takes_for_another_format(self, tmp_path: Path) -> None:
        line = refused(tmp_path, caffeconv(tmp_path / "out.weights.h5", PROTOTXT, CAFFEMODEL))
        assert line.startswith(f"{tmp_path / 'out.weights.h5'}")
        assert "Keras 3" in line

    def test_a_name_that_becomes_one(self, tmp_path: Path) -> None:
        assert "Keras 3" in refused(tmp_path, caffeconv(tmp_path / "out.weights", PROTOTXT, CAFFEMODEL))

    @pytest.mark.parametrize("name", ["", ".h5"])
    def test_no_name(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert "does not name a file to write" in refused(tmp_path, caffeconv(name, PROTOTXT, CAFFEMODEL))

    @pytest.mark.parametrize("link", [False, True], ids=["itself", "a-link-to-it"])
    def test_an_input_file(self, link: bool, tmp_path: Path) -> None:
        model = Path(shutil.copy(CAFFEMODEL, tmp_path / "out.h5"))
        before = model.read_bytes()
        if link:
            (tmp_path / "other.h5").symlink_to(model)
        out = tmp_path / ("other.h5" if link else "out.h5")
        line = refused(tmp_path, caffeconv(out, PROTOTXT, model), "out.h5", *(["other.h5"] if link else []))
        assert line.startswith(f"{out}: is a file of this conversion already")
        assert model.read_bytes() == before

    @pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() == 0, reason="needs a user who may not write everywhere"
    )
    def test_a_folder_that_is_not_ours(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        line = refused(tmp_path, caffeconv(tmp_path / "out", PROTOTXT, CAFFEMODEL))
        assert "Permission denied" in line


@pytest.mark.parametrize("file_format", ["hdf5", "pickle"])
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param((PROTOTXT, "nothing"), id="missing"),
        pytest.param((CAFFEMODEL, PROTOTXT), id="swapped"),
        pytest.param((PROTOTXT, FIXTURES / "batch_norm" / "net.caffemodel"), id="another-net"),
        pytest.param(("--input-shape", "x=1", PROTOTXT, CAFFEMODEL), id="bad-option"),
    ],
)
def test_an_old_output_survives(arguments: tuple[str | Path, ...], file_format: str, tmp_path: Path) -> None:
    name = {"hdf5": "out.h5", "pickle": "out.pkl"}[file_format]
    (tmp_path / name).write_bytes(b"precious")
    refused(tmp_path, caffeconv("-f", file_format, tmp_path / "out", *arguments), name)
    assert (tmp_path / name).read_bytes() == b"precious"


class TestInProcesses:
    """The same through a process of its own: no traceback, no warning of a library, the status that a shell sees."""

    @pytest.mark.parametrize("kind", ["missing", "lfs", "noise"])
    def test_a_caffemodel(self, kind: str, tmp_path: Path) -> None:
        path = junk(tmp_path / "x", kind)
        outcome = in_a_process("out", PROTOTXT, "x", folder=tmp_path)
        assert refused(tmp_path, outcome, *(["x"] if path.exists() else [])).startswith(f"x {JUNK[kind]}")

    def test_a_truncated_snapshot(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes((LENET / "net.caffemodel.h5").read_bytes()[:2000])
        refused(tmp_path, in_a_process("out", PROTOTXT, "x", folder=tmp_path), "x")

    def test_wrong_usage(self, tmp_path: Path) -> None:
        outcome = in_a_process("out", folder=tmp_path)
        assert (outcome.status, outcome.out) == (2, "")
        assert "Traceback" not in outcome.err
