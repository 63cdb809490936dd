"""The benchmarks work: their nets are what they say, every way gives the same weights, every row is in the page.

Times are printed, never asserted.
"""

from __future__ import annotations

import math
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import measuring
import net_files
import nets
import numpy as np
import pytest
import results
import run

from caffe_proto.caffe_pb2 import NetParameter
from tests.support.command import caffeconv, environment
from tests.support.places import CHECKOUT

BENCHMARKS = CHECKOUT / "benchmarks"
TINY = 16
MEGABYTES = {"vgg16": 553.4, "resnet152": 241.4, "alexnet": 243.9, "squeezenet": 4.95}
"""Of the files: VGG_ILSVRC_16_layers, ResNet-152, bvlc_alexnet, squeezenet_v1.1."""

EVERY_NET = pytest.mark.parametrize("name", [*nets.NETS, "layers-40", "megabytes-100"])


@pytest.fixture
def written(name: str, tmp_path: Path) -> Path:
    """The path of a tiny net's files, without suffix."""
    net_files.write_net(nets.make_net(name, TINY), tmp_path, name)
    return tmp_path / name


@pytest.mark.parametrize("name", nets.NETS)
def test_nets_are_as_large_as_the_real_ones(name: str) -> None:
    values = sum(math.prod(shape) for layer in nets.make_net(name).layers for shape in layer.shapes)
    assert 4 * values / 1e6 == pytest.approx(MEGABYTES[name], rel=2e-3)


def test_resnet_has_the_arrays_of_the_real_one() -> None:
    layers = {layer.name: layer for layer in nets.make_net("resnet152").layers}
    assert layers["res2a_branch1"].shapes == ((256, 64, 1, 1),)
    assert layers["bn2a_branch1"].shapes == ((256,), (256,), (1,))
    assert layers["scale4b35_branch2c"].shapes == ((1024,), (1024,))
    assert layers["fc1000"].shapes == ((1000, 2048), (1000,))
    assert sum(layer.type == "Convolution" for layer in layers.values()) == 155


@EVERY_NET
def test_caffemodel_is_one_that_protobuf_reads(name: str, written: Path) -> None:
    net = nets.make_net(name, TINY)
    message = NetParameter()
    message.ParseFromString(Path(f"{written}.caffemodel").read_bytes())
    layers: Any = message.layers if net.legacy else message.layer
    assert [layer.name for layer in layers] == [layer.name for layer in net.layers]
    for layer, stored in zip(net.layers, layers, strict=True):
        assert [len(blob.data) for blob in stored.blobs] == [math.prod(shape) for shape in layer.shapes]
        for shape, blob in zip(layer.shapes, stored.blobs, strict=True):
            legacy = (blob.num, blob.channels, blob.height, blob.width)
            assert (legacy[4 - len(shape) :] if net.legacy else tuple(blob.shape.dim)) == shape
    assert bool(message.layers) == (name == "vgg16")


@EVERY_NET
def test_plain_way_gives_the_same_hdf5(name: str, written: Path) -> None:
    plain = Path(f"{written}.plain.h5")
    inputs = (Path(f"{written}.caffemodel"), Path(f"{written}.json"))
    command: list[str | Path] = [sys.executable, BENCHMARKS / "plain_protobuf.py", *inputs, plain]
    subprocess.run(command, env=environment(), check=True)
    done = caffeconv(written, f"{written}.prototxt", f"{written}.caffemodel")
    assert done.status == 0, done.err
    ours, theirs = _datasets(Path(f"{written}.h5")), _datasets(plain)
    assert ours.keys() == theirs.keys()
    for path, array in theirs.items():
        np.testing.assert_allclose(ours[path], array, rtol=1e-6, err_msg=path)


def test_pickle_has_the_arrays_as_stored(tmp_path: Path) -> None:
    net = nets.make_net("squeezenet", TINY)
    net_files.write_net(net, tmp_path, "net")
    done = caffeconv("--format", "pickle", tmp_path / "net", tmp_path / "net.prototxt", tmp_path / "net.caffemodel")
    assert done.status == 0, done.err
    with (tmp_path / "net.pkl").open("rb") as file:
        layers = {layer["name"]: layer["weights"] for layer in pickle.load(file)}
    for layer in net.layers:
        assert [array.shape for array in layers[layer.name]] == list(layer.shapes)


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        net_files.write_net(nets.make_net("alexnet", TINY), tmp_path, name)
    assert (tmp_path / "one.caffemodel").read_bytes() == (tmp_path / "two.caffemodel").read_bytes()


def test_run_on_a_tiny_net(tmp_path: Path) -> None:
    """Every process that is timed on a net, and those of the start, in a run as a developer has it."""
    page, work = tmp_path / "RESULTS.md", tmp_path / "work"
    options = ["--quick", "--no-pycaffe", "--only", "squeezenet", "--only", "start"]
    command: list[str | Path] = [sys.executable, BENCHMARKS / "run.py", *options, "--work", work, "--output", page]
    subprocess.run(command, env=environment(), check=True, capture_output=True)
    text = page.read_text("utf-8")
    assert list(work.iterdir()) == []
    assert (_rows_under(text, "## SqueezeNet"), _rows_under(text, "## Start")) == (7, 4)
    assert str(tmp_path) not in text and str(CHECKOUT) not in text


def test_page_of_a_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every net is made and every table is there; of each process to time it is only seen that its inputs exist."""
    really = subprocess.run

    def measure(command: Sequence[str], _: object, output: Path | None = None) -> measuring.Measurement:
        inputs = [Path(word) for word in command if word.endswith((".prototxt", ".caffemodel", ".json"))]
        assert all(path.exists() for path in inputs), command
        return measuring.Measurement(0.2, 20)

    def make_nets_here(command: Sequence[str], **options: Any) -> Any:
        if Path(command[1]).name == "net_files.py":
            return net_files.main(command[2:])
        return really(command, **options)

    monkeypatch.setattr(measuring, "measure", measure)
    monkeypatch.setattr(subprocess, "run", make_nets_here)
    monkeypatch.setattr(os, "sync", lambda: None)
    page, work = tmp_path / "RESULTS.md", tmp_path / "work"
    run.main(["--quick", "--no-pycaffe", "--work", str(work), "--output", str(page)])
    text = page.read_text("utf-8")
    assert list(work.iterdir()) == []
    for title, rows in {
        "## VGG-16": 7, "## ResNet-152": 7, "## AlexNet": 7, "## SqueezeNet": 7, "## 10,000 layers": 7,
        "## Start": 4, "## More layers": 4, "## More bytes": 4, "## Targets": len(results.TARGETS),
    }.items():  # fmt: skip
        assert _rows_under(text, title) == rows, title
    assert text.count("not measured") == 1, "pycaffe alone was left out"
    assert str(tmp_path) not in text and str(CHECKOUT) not in text


@pytest.mark.parametrize("target", results.TARGETS, ids=lambda target: target.text)
@pytest.mark.parametrize("factor", [pytest.param(1.01, id="above"), pytest.param(0.99, id="below")])
def test_targets_are_judged_from_the_figures(target: results.Target, factor: float) -> None:
    bound = factor * target.bound
    figure = measuring.Figure(target.case, 10 * bound, 10 * bound, 10000.0 if target.base else bound)
    base = (measuring.Figure(target.base, 10.0, 9.0, 0.0),) if target.base else ()
    section = results.Section(target.section, "net", (*base, figure))
    page = results.render(results.Results((), (section,), (), (), (), ()))
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {target.text} |")]
    assert line.endswith("| yes |" if (factor < 1) != target.at_least else "| **no** |")


def test_failing_process_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(measuring.BenchmarkError, match="no luck"):
        measuring.measure([sys.executable, "-c", "raise SystemExit('no luck')"], environment())
    with pytest.raises(measuring.BenchmarkError, match=r"wrote no out\.h5"):
        measuring.measure([sys.executable, "-c", "pass"], environment(), tmp_path / "out.h5")


def _datasets(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def _rows_under(text: str, title: str) -> int:
    """Rows of the table of a section, without head and line."""
    section = text[text.index(title) :].split("\n## ")[0]
    return sum(line.startswith("|") for line in section.splitlines()) - 2
