"""Files become a net: kinds told by content, generations, options, the net inside a caffemodel, listings."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from caffeconv.errors import MismatchError, ParseError, UnsupportedError
from caffeconv.net.loading import list_files, load_net
from tests.support import wire_writer as wire
from tests.support.net_builder import (
    input_text,
    layer_text,
    one_line,
    values,
    write_caffemodel,
    write_snapshot,
    write_text,
)
from tests.support.places import FIXTURES

if TYPE_CHECKING:
    from pathlib import Path

LENET = FIXTURES / "lenet_like"
CONV = "convolution_param { num_output: 2 kernel_size: 1 }"
TEXT = input_text("data", 1, 3, 4, 4) + layer_text("conv", "Convolution", "data", more=CONV)
WEIGHTS = [("conv", [values(2, 3, 1, 1), values(2)])]


@pytest.fixture
def prototxt(tmp_path: Path) -> Path:
    return write_text(tmp_path / "net.prototxt", TEXT)


@pytest.fixture
def caffemodel(tmp_path: Path) -> Path:
    return write_caffemodel(tmp_path / "net.caffemodel", WEIGHTS, TEXT)


def refusal(*arguments: Any, **options: Any) -> str:
    with pytest.raises((MismatchError, ParseError, UnsupportedError)) as refused:
        load_net(*arguments, **options)
    return one_line(refused.value)


def test_the_net_alone(prototxt: Path) -> None:
    net = load_net(prototxt)
    assert [(layer.name, layer.type, layer.blobs) for layer in net.layers] == [
        ("data", "Input", ()),
        ("conv", "Convolution", ()),
    ]


def test_with_weights(prototxt: Path, caffemodel: Path) -> None:
    net = load_net(prototxt, caffemodel)
    np.testing.assert_array_equal(net.layers[1].blobs[0].array, values(2, 3, 1, 1))
    np.testing.assert_array_equal(net.layers[1].blobs[1].array, values(2))
    assert net.notes == ()


def test_paths_may_be_strings(prototxt: Path, caffemodel: Path) -> None:
    assert load_net(str(prototxt), str(caffemodel)).layers[1].blobs


def test_names_of_files_do_not_matter(prototxt: Path, caffemodel: Path, tmp_path: Path) -> None:
    weights = shutil.copy(caffemodel, tmp_path / "x.prototxt")
    text = shutil.copy(prototxt, tmp_path / "y.caffemodel.h5")
    snapshot = write_snapshot(tmp_path / "lenet_iter_10000", WEIGHTS)
    for each in (weights, snapshot):
        assert [blob.shape for blob in load_net(text, each).layers[1].blobs] == [(2, 3, 1, 1), (2,)]


def test_arrays_outlive_the_call(prototxt: Path, caffemodel: Path) -> None:
    array = load_net(prototxt, caffemodel).layers[1].blobs[0].array
    assert not array.flags.writeable
    np.testing.assert_array_equal(array, values(2, 3, 1, 1))


class TestTheNetInside:
    def test_it_is_taken(self, caffemodel: Path) -> None:
        net = load_net("-", caffemodel)
        assert [(layer.name, len(layer.blobs)) for layer in net.layers] == [("data", 0), ("conv", 2)]
        assert net.layers[1].top_shapes == ((1, 2, 4, 4),)

    def test_it_is_not_filtered_again(self, tmp_path: Path) -> None:
        text = TEXT + layer_text("r", "ReLU", "conv", more="include { phase: TRAIN }")
        net = load_net("-", write_caffemodel(tmp_path / "x", WEIGHTS, text))
        assert [layer.name for layer in net.layers] == ["data", "conv", "r"]

    def test_a_shape_can_be_given(self, caffemodel: Path) -> None:
        net = load_net("-", caffemodel, input_shapes={"data": (1, 3, 9, 9)})
        assert net.layers[1].top_shapes == ((1, 2, 9, 9),)

    @pytest.mark.parametrize("name", ["legacy_v0", "legacy_v1"])
    def test_old_generations(self, name: str) -> None:
        inside = load_net("-", FIXTURES / name / "net.written.caffemodel")
        outside = load_net(FIXTURES / name / "net.prototxt", FIXTURES / name / "net.caffemodel")
        stored = {layer.name: layer for layer in outside.layers}
        for layer in inside.layers:
            if layer.blobs:
                for blob, other in zip(layer.blobs, stored[layer.name].blobs, strict=True):
                    assert (blob.shape, blob.array.tobytes()) == (other.shape, other.array.tobytes())

    def test_without_a_caffemodel(self) -> None:
        assert refusal("-") == 'the prototxt "-" stands for the net inside a caffemodel, but no caffemodel is given'

    def test_a_snapshot_has_none(self, tmp_path: Path) -> None:
        path = write_snapshot(tmp_path / "x", WEIGHTS)
        assert refusal("-", path) == f"{path}: an HDF5 snapshot holds weights only, no net; give a prototxt, not -"


class TestOptions:
    def test_phase_level_and_stages(self) -> None:
        path = FIXTURES / "phases_stages" / "net.prototxt"
        test, train = (len(load_net(path, phase=phase).layers) for phase in ("TEST", "TRAIN"))
        assert test != train
        both = load_net(path, stages=["deploy", "extra"], level=2)
        assert "two_stages" in {layer.name for layer in both.layers}

    def test_one_stage_may_be_given_as_it_is(self) -> None:
        path = FIXTURES / "phases_stages" / "net.prototxt"
        alone, listed = (load_net(path, stages=stages) for stages in ("deploy", ["deploy"]))
        assert [layer.name for layer in alone.layers] == [layer.name for layer in listed.layers]
        assert alone.notes == listed.notes

    def test_a_stage_is_asked_for(self, tmp_path: Path) -> None:
        text = layer_text("use", "Input", tops="x", more='include { stage: "serve" }') + layer_text("r", "ReLU", "x")
        path = write_text(tmp_path / "p", text)
        assert any("give --stage serve" in note.text for note in load_net(path).notes)
        for more in ({"stages": "serve"}, {"input_shapes": {"x": (1, 3)}}):
            assert not any(note.level == "warning" for note in load_net(path, **more).notes)

    def test_an_unknown_phase(self, prototxt: Path) -> None:
        assert refusal(prototxt, phase="test") == 'phase "test": expected TRAIN or TEST'

    def test_weights_for_another_phase_are_not_called_unknown(self, tmp_path: Path) -> None:
        text = input_text("data", 1, 48) + "".join(
            layer_text(name, "InnerProduct", "data", more=f"inner_product_param {{ num_output: 2 }} {rule}")
            for name, rule in (("kept", ""), ("trained", "include { phase: TRAIN }"))
        )
        weights = [(name, [values(2, 48), values(2)]) for name in ("kept", "trained")]
        net = load_net(write_text(tmp_path / "p", text), write_caffemodel(tmp_path / "c", weights))
        assert [str(note) for note in net.notes] == [
            "weights of layers of another phase, level or stage (--phase, --level, --stage) are left out: trained"
        ]

    @pytest.mark.parametrize("allowed", ["all", "conv", ("conv",)])
    def test_a_single_name_will_do(self, prototxt: Path, tmp_path: Path, allowed: str | tuple[str, ...]) -> None:
        other = write_caffemodel(tmp_path / "x", [("other", [values(2)])])
        assert load_net(prototxt, other, allow_missing=allowed).layers[1].blobs == ()

    def test_missing_weights(self, prototxt: Path, tmp_path: Path) -> None:
        other = write_caffemodel(tmp_path / "x", [("other", [values(2)])])
        assert refusal(prototxt, other).startswith("the caffemodel seems to be of another net: conv (")
        assert load_net(prototxt, other, allow_missing=["conv"]).layers[1].blobs == ()


class TestNotes:
    def test_those_of_the_text_come_first(self, tmp_path: Path) -> None:
        text = layer_text("conv", "Convolution", "data", more="odd: 1 " + CONV)
        net = load_net(write_text(tmp_path / "x", text))
        assert [str(note) for note in net.notes] == [
            'conv: line 1: unknown field "odd" skipped',
            'conv: no layer makes its bottom "data", shapes are unknown from here on',
        ]


class TestRefusals:
    def test_swapped(self, prototxt: Path, caffemodel: Path) -> None:
        assert refusal(caffemodel, prototxt) == (
            f"{prototxt} is a prototxt (text); "
            "the caffemodel (binary weights) or Caffe's HDF5 snapshot was expected here"
        )

    def test_two_caffemodels(self, caffemodel: Path) -> None:
        assert refusal(caffemodel, caffemodel) == (
            f"{caffemodel} is a caffemodel (binary weights); the prototxt (text) was expected here"
        )

    def test_a_text_that_mixes_generations_is_named(self, tmp_path: Path) -> None:
        path = write_text(tmp_path / "x", TEXT + 'layers { name: "old" type: RELU bottom: "conv" top: "conv" }')
        assert refusal(path) == (
            f'{path}: "data" is given as layer and "old" as layers: a net must keep to one of both forms'
        )

    def test_so_is_a_caffemodel(self, prototxt: Path, tmp_path: Path) -> None:
        path = write_caffemodel(tmp_path / "x", WEIGHTS, TEXT + 'layers { name: "old" type: RELU }')
        assert refusal(prototxt, path).startswith(f'{path}: "data" is given as layer and "old" as layers')


class TestListings:
    def test_a_prototxt(self, prototxt: Path) -> None:
        listing = list_files([prototxt])
        assert [(file.path, file.kind, file.generation) for file in listing.files] == [
            (str(prototxt), "PROTOTXT", "V2")
        ]
        assert [layer.name for layer in listing.net.layers] == ["data", "conv"]

    def test_a_caffemodel(self, caffemodel: Path) -> None:
        assert [len(layer.blobs) for layer in list_files([caffemodel]).net.layers] == [0, 2]

    def test_a_snapshot(self, tmp_path: Path) -> None:
        listing = list_files([write_snapshot(tmp_path / "x", WEIGHTS)])
        assert [(layer.name, len(layer.blobs)) for layer in listing.net.layers] == [("conv", 2)]
        assert [(file.kind, file.generation) for file in listing.files] == [("HDF5_SNAPSHOT", None)]

    @pytest.mark.parametrize(("name", "generation"), [("legacy_v0", "V0"), ("legacy_v1", "V1"), ("lenet_like", "V2")])
    def test_generations(self, name: str, generation: str) -> None:
        stem = "net" if generation == "V2" else "net.written"
        listing = list_files([FIXTURES / name / "net.prototxt", FIXTURES / name / f"{stem}.caffemodel"])
        assert [file.generation for file in listing.files] == [generation, generation]

    def test_both_in_any_order(self, prototxt: Path, caffemodel: Path) -> None:
        for files in ([prototxt, caffemodel], [caffemodel, prototxt]):
            listing = list_files(files)
            assert [file.path for file in listing.files] == [str(prototxt), str(caffemodel)]
            assert [len(layer.blobs) for layer in listing.net.layers] == [0, 2]

    def test_weights_that_are_missing_stop_nothing(self, prototxt: Path, tmp_path: Path) -> None:
        listing = list_files([prototxt, write_caffemodel(tmp_path / "x", [("other", [values(2)])])])
        assert [note.text for note in listing.net.notes] == [
            "Convolution without weights in the caffemodel; left out",
            "weights of layers that the prototxt does not have are left out: other",
        ]

    @pytest.mark.parametrize("kind", ["prototxt", "caffemodel"])
    def test_two_of_a_kind(self, kind: str, request: pytest.FixtureRequest) -> None:
        path = request.getfixturevalue(kind)
        with pytest.raises(MismatchError) as refused:
            list_files([path, path])
        assert one_line(refused.value) == f"{path}: two files of one kind; give one prototxt and one caffemodel"

    def test_neither(self, tmp_path: Path) -> None:
        path = write_text(tmp_path / "x", "<html></html>")
        with pytest.raises(ParseError, match="is an HTML page"):
            list_files([path])


class TestWhatComesWithAnError:
    def test_warnings_of_both_files(self, prototxt: Path, tmp_path: Path) -> None:
        twins = wire.blob(2) + wire.packed_doubles(8, [5, 6])
        path = tmp_path / "c"
        path.write_bytes(wire.layer("other", "Scale", twins))
        odd = write_text(tmp_path / "p", prototxt.read_text() + "odd: 1")
        with pytest.raises(MismatchError) as refused:
            load_net(odd, path)
        first, second, third = refused.value.warnings
        assert 'unknown field "odd"' in first
        assert "data beside double_data" in second
        assert "left out: other" in third


def stored_net(param: bytes, number: int, layer_type: str) -> bytes:
    """A net with a layer whose parameter of that number is these bytes."""
    data = wire.chunk(100, wire.chunk(1, "data") + wire.chunk(2, "Input") + wire.chunk(4, "data"))
    return data + wire.layer(
        "it", layer_type, extra=wire.chunk(3, "data") + wire.chunk(4, "it") + wire.chunk(number, param)
    )


CONVOLUTION, BATCH_NORM, POOLING, SOFTMAX, LOSS = 106, 139, 121, 125, 101


@pytest.mark.parametrize(
    ("number", "type_name", "param", "words"),
    [
        pytest.param(CONVOLUTION, "Convolution", wire.number(19, 1), ["field 19", "relu"], id="intels-relu"),
        pytest.param(CONVOLUTION, "Convolution", wire.loose_floats(20, [0.5]), ["field 20", "slope"], id="slope"),
        pytest.param(BATCH_NORM, "BatchNorm", wire.number(10, 1), ["field 10", "relu"], id="relu-of-a-norm"),
        pytest.param(POOLING, "Pooling", wire.number(40, 7), ["pooling_param", "field 40"], id="of-nobody-known"),
        pytest.param(POOLING, "Pooling", wire.number(1, 3), ["pool of its pooling_param", "is 3"], id="word"),
        pytest.param(CONVOLUTION, "Convolution", wire.number(19, 0), None, id="default"),
        pytest.param(CONVOLUTION, "Convolution", wire.number(15, 4), None, id="engine"),
        pytest.param(SOFTMAX, "SoftmaxWithLoss", wire.number(3, 1), None, id="of-a-loss"),
        pytest.param(LOSS, "Somebodys", wire.number(4, 1), None, id="of-a-loss-that-is-not-known"),
        pytest.param(BATCH_NORM, "BatchNorm", wire.number(5, 1) + wire.number(4, 3), None, id="told-by-blobs"),
    ],
)
def test_fields_of_forks_in_the_net_of_a_file(
    number: int, type_name: str, param: bytes, words: list[str] | None, tmp_path: Path
) -> None:
    (tmp_path / "net.caffemodel").write_bytes(stored_net(param, number, type_name))
    net = load_net("-", tmp_path / "net.caffemodel", allow_missing="all")
    told = [str(note) for note in net.notes if "of a fork" in note.text or "a fork's" in note.text]
    assert len(told) == (words is not None)
    assert all(word in told[0] and told[0].startswith("it: ") for word in words or ())


def test_a_prototxt_of_its_own_outranks_them(tmp_path: Path) -> None:
    (tmp_path / "net.caffemodel").write_bytes(stored_net(wire.number(19, 1), CONVOLUTION, "Convolution"))
    write_text(tmp_path / "net.prototxt", TEXT)
    notes = load_net(tmp_path / "net.prototxt", tmp_path / "net.caffemodel", allow_missing="all").notes
    assert [note for note in notes if "field 19" in note.text] == []
