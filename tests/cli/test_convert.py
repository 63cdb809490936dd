"""`caffeconv convert`: what it writes, what it says, and its options."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from caffeconv import convert_caffemodel_to_dict
from tests.support.command import caffeconv, in_a_process
from tests.support.net_builder import Weights, input_text, layer_text, values, write_caffemodel, write_text
from tests.support.places import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

LENET = (FIXTURES / "lenet_like" / "net.prototxt", FIXTURES / "lenet_like" / "net.caffemodel")
CONV = "convolution_param { num_output: 2 kernel_size: 1 }"
PLAIN = input_text("data", 1, 3, 4, 4) + layer_text("conv", "Convolution", "data", more=CONV)
PLAIN_WEIGHTS = [("conv", [values(2, 3, 1, 1), values(2)])]


@pytest.fixture
def plain(tmp_path: Path) -> tuple[Path, Path]:
    """A net of which nothing is to be said."""
    return model(tmp_path, PLAIN, PLAIN_WEIGHTS)


def model(folder: Path, text: str, weights: Weights) -> tuple[Path, Path]:
    inputs = folder / "in"
    inputs.mkdir()
    return write_text(inputs / "p", text), write_caffemodel(inputs / "c", weights, "")


def kernel(path: Path, layer: str, name: str = "kernel") -> np.ndarray:
    with h5py.File(path) as file:
        array: np.ndarray = file[f"{layer}/{layer}/{name}:0"][()]
        return array


def layer_names(path: Path) -> list[str]:
    with h5py.File(path) as file:
        return [name.decode() for name in file.attrs["layer_names"]]


def written(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "in")


class TestHappyPath:
    def test_hdf5(self, plain: tuple[Path, Path], tmp_path: Path) -> None:
        outcome = caffeconv(tmp_path / "out", *plain)
        assert (outcome.status, outcome.err) == (0, "")
        size = (tmp_path / "out.h5").stat().st_size
        assert outcome.out == f"{tmp_path / 'out.h5'}: 1 layer with weights, 2 arrays, 8 values, {size:,} bytes\n"
        assert written(tmp_path) == ["out.h5"]
        np.testing.assert_array_equal(kernel(tmp_path / "out.h5", "conv"), values(2, 3, 1, 1).transpose(2, 3, 1, 0))

    def test_pickle(self, tmp_path: Path) -> None:
        outcome = caffeconv("--format", "pickle", tmp_path / "out", *LENET)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith(f"{tmp_path / 'out.pkl'}: 4 layers with weights, 8 arrays, ")
        assert outcome.out.count("\n") == 1
        assert written(tmp_path) == ["out.pkl"]
        loaded = pickle.loads((tmp_path / "out.pkl").read_bytes())
        for ours, theirs in zip(loaded, convert_caffemodel_to_dict(*LENET), strict=True):
            assert (ours["name"], ours["tops"]) == (theirs["name"], theirs["tops"])
            assert [a.tobytes() for a in ours["weights"]] == [a.tobytes() for a in theirs["weights"]]

    def test_the_pickle_holds_split_layers(self, tmp_path: Path) -> None:
        folder = FIXTURES / "residual_block"
        assert (
            caffeconv("-f", "pickle", tmp_path / "out", folder / "net.prototxt", folder / "net.caffemodel").status == 0
        )
        loaded = pickle.loads((tmp_path / "out.pkl").read_bytes())
        assert [layer["name"] for layer in loaded if layer["type"] == "Split"]

    def test_a_process_of_its_own(self, plain: tuple[Path, Path], tmp_path: Path) -> None:
        outcome = in_a_process("out", "in/p", "in/c", folder=tmp_path)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith("out.h5: 1 layer with weights, 2 arrays, 8 values, ")
        assert outcome.out.count("\n") == 1
        assert written(tmp_path) == ["out.h5"]

    def test_the_command_may_be_named(self, plain: tuple[Path, Path], tmp_path: Path) -> None:
        caffeconv(tmp_path / "a", *plain)
        assert caffeconv("convert", tmp_path / "b", *plain).status == 0
        assert caffeconv("convert", "-b", "theano", tmp_path / "c", *plain).status == 0
        assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()

    def test_options_may_stand_anywhere(self, plain: tuple[Path, Path], tmp_path: Path) -> None:
        assert caffeconv(tmp_path / "a", *plain, "-f", "pickle").status == 0
        assert caffeconv(tmp_path / "b", "--format=pickle", *plain).status == 0
        assert written(tmp_path) == ["a.pkl", "b.pkl"]

    def test_an_old_file_is_replaced(self, plain: tuple[Path, Path], tmp_path: Path) -> None:
        (tmp_path / "out.h5").write_bytes(b"old")
        assert caffeconv(tmp_path / "out", *plain).status == 0
        assert layer_names(tmp_path / "out.h5") == ["conv"]

    @pytest.mark.parametrize("name", ["out.h5", "out.hdf5"])
    def test_an_ending_is_not_doubled(self, name: str, plain: tuple[Path, Path], tmp_path: Path) -> None:
        assert caffeconv(tmp_path / name, *plain).status == 0
        assert written(tmp_path) == [name]

    def test_dots_in_the_name_are_no_ending(self, plain: tuple[Path, Path], tmp_path: Path) -> None:
        assert caffeconv(tmp_path / "net_v1.2", *plain).status == 0
        assert written(tmp_path) == ["net_v1.2.h5"]

    def test_names_in_any_script(self, tmp_path: Path) -> None:
        name = "слой/卷积 ü"
        text = input_text("data", 1, 3, 4, 4) + layer_text(name, "Convolution", "data", "x", CONV)
        folder = tmp_path / "モデル é"
        folder.mkdir()
        files = model(folder, text, [(name, PLAIN_WEIGHTS[0][1])])
        outcome = in_a_process("-v", "выход", *files, folder=folder)
        assert outcome.status == 0
        assert outcome.err == (
            "warning: give --keras-names, or --rename, for Keras models: neither tf-keras nor Keras 3 on TensorFlow "
            f'takes the name "{name}"\n'
        )
        assert name in outcome.out
        assert layer_names(folder / "выход.h5") == [name]


class TestVerbose:
    def test_a_row_per_layer_and_every_note(self, tmp_path: Path) -> None:
        outcome = caffeconv("-v", tmp_path / "out", *LENET)
        rows = {line.split()[0]: line.split() for line in outcome.out.splitlines() if line.strip()}
        assert rows["conv1"][1] == "Convolution"
        assert rows["conv1"][2].startswith("Conv2D(")
        assert "kernel 3×3×1×6" in " ".join(rows["conv1"])
        assert rows["ip2"][1] == "InnerProduct"
        assert "kernel 20×5" in " ".join(rows["ip2"])
        assert outcome.out.splitlines()[-1].startswith(f"{tmp_path / 'out.h5'}: ")
        assert "note: ip1: kernel rows reordered" in outcome.err

    def test_without_it_only_warnings_are_said(self, tmp_path: Path) -> None:
        assert caffeconv(tmp_path / "out", *LENET).err == ""
        text = layer_text("conv", "Convolution", "data", more=CONV)
        outcome = caffeconv(tmp_path / "out", *model(tmp_path, text, PLAIN_WEIGHTS))
        assert outcome.status == 0
        assert outcome.err == ('warning: conv: no layer makes its bottom "data", shapes are unknown from here on\n')

    def test_a_pickle_in_caffes_words(self, tmp_path: Path) -> None:
        outcome = caffeconv("--verbose", "-f", "pickle", tmp_path / "out", *LENET)
        assert "conv1 2×6×14×16" in outcome.out
        assert outcome.out.count("\n") > 11

    def test_control_characters_never_reach_the_terminal(self, tmp_path: Path) -> None:
        text = layer_text(r"a\033[31m\nb", "Convolution", r"da\007ta", "x", CONV)
        files = model(tmp_path, text, [("a\x1b[31m\nb", PLAIN_WEIGHTS[0][1])])
        outcome = caffeconv("-v", tmp_path / "out", *files)
        assert outcome.status == 0
        assert set(map(ord, outcome.out + outcome.err)) & set(range(32)) == {10}
        assert len(outcome.err.splitlines()) == 2
        assert r"a\x1b[31m" in outcome.out


class TestOptions:
    @pytest.mark.parametrize("option", ["-n", "--include-non-weight", "--include_non_weight"])
    def test_layers_without_weights(self, option: str, plain: tuple[Path, Path], tmp_path: Path) -> None:
        caffeconv(tmp_path / "a", *plain)
        caffeconv(option, tmp_path / "b", *plain)
        assert (layer_names(tmp_path / "a.h5"), layer_names(tmp_path / "b.h5")) == (["conv"], ["data", "conv"])

    @pytest.mark.parametrize("option", ["-u", "--skip-unknown", "--skip_unknown"])
    def test_unknown_types(self, option: str, tmp_path: Path) -> None:
        files = model(tmp_path, PLAIN + layer_text("odd", "Strange", "conv"), [*PLAIN_WEIGHTS, ("odd", [values(3)])])
        with_it = caffeconv(tmp_path / "a", *files)
        without = caffeconv(option, tmp_path / "b", *files)
        assert with_it.err == "warning: odd: type Strange is not known; its arrays are written as stored\n"
        assert without.err == "warning: odd: type Strange is not known; left out\n"
        assert (layer_names(tmp_path / "a.h5"), layer_names(tmp_path / "b.h5")) == (["conv", "odd"], ["conv"])

    @pytest.mark.parametrize("option", ["-b", "--backend"])
    def test_backend(self, option: str, tmp_path: Path) -> None:
        caffeconv(tmp_path / "a", *LENET)
        caffeconv(option, "theano", tmp_path / "b", *LENET)
        plain_kernel, flipped = (kernel(tmp_path / name, "conv1") for name in ("a.h5", "b.h5"))
        np.testing.assert_array_equal(flipped, plain_kernel[::-1, ::-1])
        assert not np.array_equal(flipped, plain_kernel)

    def test_strict(self, tmp_path: Path) -> None:
        text = layer_text("conv", "Convolution", "data", more=CONV)
        files = model(tmp_path, text, [*PLAIN_WEIGHTS, ("other", [values(1)])])
        for file_format in ("hdf5", "pickle"):
            outcome = caffeconv("--strict", "-f", file_format, tmp_path / "out", *files)
            assert (outcome.status, outcome.out) == (1, "")
            assert outcome.err == (
                'error: a warning, and --strict was given: conv: no layer makes its bottom "data", shapes are unknown '
                "from here on | also warned: weights of layers that the prototxt does not have are left out: other\n"
            )
        assert written(tmp_path) == []

    def test_strict_has_nothing_against_notes(self, tmp_path: Path) -> None:
        assert caffeconv("--strict", tmp_path / "out", *LENET).status == 0

    @pytest.mark.parametrize("name", ["more", "all"])
    def test_allow_missing(self, name: str, tmp_path: Path) -> None:
        files = model(tmp_path, PLAIN + layer_text("more", "Convolution", "conv", more=CONV), PLAIN_WEIGHTS)
        refused = caffeconv(tmp_path / "out", *files)
        assert refused.status == 1
        assert '"--allow-missing more" goes on without' in refused.err
        allowed = caffeconv("--allow-missing", name, tmp_path / "out", *files)
        assert (allowed.status, allowed.err) == (
            0,
            "warning: more: Convolution without weights in the caffemodel; left out\n",
        )

    def test_slash(self, tmp_path: Path) -> None:
        text = input_text("data", 1, 3, 4, 4) + layer_text("a/b", "Convolution", "data", "x", CONV)
        text += layer_text("a_b", "Convolution", "data", "y", CONV)
        arrays = PLAIN_WEIGHTS[0][1]
        files = model(tmp_path, text, [("a/b", arrays), ("a_b", arrays)])
        assert caffeconv(tmp_path / "a", *files).status == 0
        assert layer_names(tmp_path / "a.h5") == ["a/b", "a_b"]
        assert caffeconv("--slash", "::", tmp_path / "b", *files).status == 0
        assert layer_names(tmp_path / "b.h5") == ["a::b", "a_b"]
        outcome = caffeconv("--slash", "_", tmp_path / "c", *files)
        assert (outcome.status, outcome.err) == (1, 'error: layers "a/b" and "a_b" would both be called "a_b"\n')
        assert written(tmp_path) == ["a.h5", "b.h5"]

    def test_flatten_order(self, tmp_path: Path) -> None:
        stored = next(layer["weights"][0] for layer in convert_caffemodel_to_dict(*LENET) if layer["name"] == "ip1")
        caffeconv("--flatten-order", "chw", tmp_path / "a", *LENET)
        np.testing.assert_array_equal(kernel(tmp_path / "a.h5", "ip1"), stored.T)
        caffeconv(tmp_path / "b", *LENET)
        moved = stored.reshape(20, 8, 3, 3).transpose(2, 3, 1, 0).reshape(72, 20)
        np.testing.assert_array_equal(kernel(tmp_path / "b.h5", "ip1"), moved)

    def test_flatten_shape(self, tmp_path: Path) -> None:
        text = layer_text("fc", "InnerProduct", "x", more="inner_product_param { num_output: 2 }")
        files = model(tmp_path, text, [("fc", [values(2, 12), values(2)])])
        assert caffeconv("--flatten-shape", "fc=3,2,2", tmp_path / "out", *files).status == 0
        moved = values(2, 12).reshape(2, 3, 2, 2).transpose(2, 3, 1, 0).reshape(12, 2)
        np.testing.assert_array_equal(kernel(tmp_path / "out.h5", "fc"), moved)
        outcome = caffeconv("--flatten-shape", "no=3,2,2", tmp_path / "other", *files)
        assert outcome.status == 1
        assert outcome.err == (
            'error: the net has no layer "no" to give a flattened shape to | also warned: fc: no layer makes its '
            'bottom "x", shapes are unknown from here on\n'
        )

    def test_input_shape(self, tmp_path: Path) -> None:
        text = layer_text("d", "Data", tops="data") + layer_text(
            "fc", "InnerProduct", "data", more="inner_product_param { num_output: 2 }"
        )
        files = model(tmp_path, text, [("fc", [values(2, 12), values(2)])])
        outcome = caffeconv("--input-shape", "data=1,3,2,2", tmp_path / "out", *files)
        assert (outcome.status, outcome.err) == (0, "")
        moved = values(2, 12).reshape(2, 3, 2, 2).transpose(2, 3, 1, 0).reshape(12, 2)
        np.testing.assert_array_equal(kernel(tmp_path / "out.h5", "fc"), moved)
        outcome = caffeconv("--input-shape", "data=?,3,?,?", tmp_path / "open", *files)
        assert (outcome.status, outcome.err) == (0, "")
        np.testing.assert_array_equal(kernel(tmp_path / "open.h5", "fc"), moved)
        outcome = caffeconv("--input-shape", "date=1,3,2,2", tmp_path / "other", *files)
        assert outcome.status == 1
        assert outcome.err == 'error: the net has no input "date" to give a shape to; its inputs are: "data"\n'

    def test_the_net_inside(self, tmp_path: Path) -> None:
        assert caffeconv(tmp_path / "a", *LENET).status == 0
        assert caffeconv(tmp_path / "b", "-", LENET[1]).status == 0
        assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()

    def test_a_snapshot(self, tmp_path: Path) -> None:
        assert caffeconv(tmp_path / "a", *LENET).status == 0
        assert caffeconv(tmp_path / "b", LENET[0], LENET[1].with_suffix(".caffemodel.h5")).status == 0
        assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()

    @pytest.mark.parametrize("phase", ["TRAIN", "train"])
    def test_phase_level_and_stages(self, phase: str, tmp_path: Path) -> None:
        conv = "".join(
            layer_text(name, "Convolution", "data", more=f"{CONV} include {{ {rule} }}")
            for name, rule in (("t", "phase: TRAIN"), ("l", "min_level: 2"), ("s", 'stage: "on"'))
        )
        arrays = PLAIN_WEIGHTS[0][1]
        files = model(tmp_path, PLAIN + conv, [(name, arrays) for name in ("conv", "t", "l", "s")])
        for options, expected in (
            ([], ["conv"]),
            (["--phase", phase], ["conv", "t"]),
            (["--level", "2"], ["conv", "l"]),
            (["--stage", "off", "--stage", "on"], ["conv", "s"]),
        ):
            assert caffeconv(*options, tmp_path / "out", *files).status == 0
            assert layer_names(tmp_path / "out.h5") == expected

    def test_depthwise(self, tmp_path: Path) -> None:
        text = PLAIN.replace("num_output: 2", "num_output: 3 group: 3")
        files = model(tmp_path, text, [("conv", [values(3, 1, 1, 1), values(3)])])
        caffeconv(tmp_path / "a", *files)
        caffeconv("--depthwise", "conv2d", tmp_path / "b", *files)
        assert kernel(tmp_path / "a.h5", "conv", "depthwise_kernel").shape == (1, 1, 3, 1)
        assert kernel(tmp_path / "b.h5", "conv", "kernel").shape == (1, 1, 1, 3)


class TestUsage:
    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(["out"], id="too-few"),
            pytest.param(["convert"], id="none"),
            pytest.param(["a", "b", "c", "d"], id="too-many"),
            pytest.param(["-f", "onnx", "a", "b", "c"], id="format"),
            pytest.param(["-b", "torch", "a", "b", "c"], id="backend"),
            pytest.param(["--no-such-option", "a", "b", "c"], id="option"),
            pytest.param(["--level", "x", "a", "b", "c"], id="level"),
            pytest.param(["--phase", "BOTH", "a", "b", "c"], id="phase"),
            pytest.param(["--input-shape", "data", "a", "b", "c"], id="no-sizes"),
            pytest.param(["--input-shape", "data=", "a", "b", "c"], id="empty-sizes"),
            pytest.param(["--input-shape", "=1,2", "a", "b", "c"], id="no-name"),
            pytest.param(["--input-shape", "data=1,0", "a", "b", "c"], id="size-0"),
            pytest.param(["--input-shape", "data=1,x", "a", "b", "c"], id="no-number"),
            pytest.param(["inspect"], id="inspect-nothing"),
            pytest.param(["inspect", "a", "b", "c"], id="inspect-too-many"),
        ],
    )
    def test_wrong_usage_is_status_2(self, arguments: list[str]) -> None:
        outcome = caffeconv(*arguments)
        assert (outcome.status, outcome.out) == (2, "")
        assert "Usage: " in outcome.err

    @pytest.mark.parametrize(
        "arguments", [["--help"], ["-h"], ["convert", "--help"], ["inspect", "-h"], ["layers", "--help"]]
    )
    def test_help(self, arguments: list[str]) -> None:
        outcome = caffeconv(*arguments)
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out.startswith("Usage: ")

    def test_every_command_shows_an_example(self) -> None:
        for command in ("convert", "inspect"):
            assert "Example" in caffeconv(command, "--help").out

    def test_a_name_with_an_equals_sign(self, tmp_path: Path) -> None:
        text = layer_text("d", "Data", tops="a=b") + layer_text("conv", "Convolution", "a=b", more=CONV)
        files = model(tmp_path, text, PLAIN_WEIGHTS)
        assert caffeconv("--input-shape", "a=b=1,3,2,2", tmp_path / "out", *files).status == 0


def test_warnings_that_say_the_same_are_one_line(tmp_path: Path) -> None:
    odd = "".join(layer_text(f"odd{number}", "Strange", "data") for number in range(4))
    weights = [*PLAIN_WEIGHTS, *((f"odd{number}", [values(2)]) for number in range(4))]
    paths = model(tmp_path, PLAIN + odd, weights)
    outcome = caffeconv(tmp_path / "out", *paths)
    assert outcome.err == (
        "warning: odd0: type Strange is not known; its arrays are written as stored "
        "(and of 3 more layers, see --verbose)\n"
    )
    assert caffeconv("-v", tmp_path / "out", *paths).err.count("type Strange is not known") == 4
