"""Edges, shapes that are given, automatic tops and Split layers; real Caffe's own lists are in `test_fixtures`."""

from __future__ import annotations

import pytest

from caffeconv.errors import MismatchError
from caffeconv.model import Net, Source
from caffeconv.net import AUTOMATIC_TOP, build_net, insert_splits, settle_shapes
from tests.support.net_builder import input_text, layer_text, message_of, net_of, one_line

DATA = input_text("data", 2, 3, 4, 5)


def edges(net: Net) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    return [(layer.name, layer.type, layer.bottoms, layer.tops) for layer in net.layers]


def notes(net: Net) -> list[str]:
    return [f"{note.level} {note}" for note in net.notes]


def test_an_in_place_chain_is_followed_link_by_link() -> None:
    net = net_of(
        DATA
        + layer_text("before", "TanH", "data", "before")
        + layer_text("relu", "ReLU", "data", "data")
        + layer_text("drop", "Dropout", "data", "data")
        + layer_text("after", "TanH", "data", "after")
    )
    sources = {layer.name: layer.sources for layer in net.layers}
    assert sources == {
        "data": (),
        "before": (Source(0, 0),),
        "relu": (Source(0, 0),),
        "drop": (Source(2, 0),),
        "after": (Source(3, 0),),
    }


def test_several_tops_are_told_apart() -> None:
    net = net_of(
        DATA
        + layer_text("cut", "Slice", "data", "a b", "slice_param { slice_point: 1 }")
        + layer_text("r", "ReLU", "b")
    )
    assert net.layers[1].top_shapes == ((2, 1, 4, 5), (2, 2, 4, 5))
    assert net.layers[2].sources == (Source(1, 1),)
    assert net.layers[2].top_shapes == ((2, 2, 4, 5),)


def test_a_plain_net_has_no_notes() -> None:
    assert net_of(DATA + layer_text("relu", "ReLU", "data") + layer_text("both", "Eltwise", "data relu")).notes == ()


@pytest.mark.parametrize(
    ("text", "note"),
    [
        pytest.param(
            input_text("x", 1, 3, 4, 4) + layer_text("c", "Concat", "x", more="concat_param { axis: 5 }"),
            "warning c: axis 5 is out of range for 4 axes",
            id="what-caffe-refuses",
        ),
        pytest.param(input_text("x", 1, -3), "warning x: axis 1 would have size -3", id="an-input-of-no-size"),
        pytest.param(
            layer_text("d", "Strange"),
            'info d: "Strange" is not a layer type whose output shapes are known; give it, with '
            "--input-shape d=N,C,H,W",
            id="a-fork",
        ),
    ],
)
def test_what_is_wrong_is_a_warning_and_what_is_not_known_is_not(text: str, note: str) -> None:
    assert notes(net_of(text)) == [note]


class TestManyOrphans:
    def test_near_names_are_looked_for_a_few_times_only(self) -> None:
        """To hold each of thousands against all names would take minutes."""
        text = input_text("image", 1, 3) + "".join(layer_text(f"r{number}", "ReLU", "imag") for number in range(9))
        near = ['the nearest name is "image"' in note for note in notes(net_of(text))]
        assert near == [True] * 3 + [False] * 6


class TestWhatCaffeRefuses:
    @pytest.mark.parametrize(
        ("layer", "told"),
        [
            (layer_text("f", "Flatten"), "give f (Flatten) its bottom: it has none in the prototxt"),
            (layer_text("t", "Tile", tops="y"), "give t (Tile) its bottom: it has none"),
            (layer_text("i", "InnerProduct"), "give i (InnerProduct) its bottom"),
            (layer_text("p", "Permute"), "give p (Permute) its bottom"),
            (layer_text("c", "Crop", "x"), "give c (Crop) its 2 bottoms: it has 1"),
            (layer_text("a", "Accuracy"), "give a (Accuracy) its 2 bottoms: it has none"),
        ],
    )
    def test_a_layer_lacks_a_bottom(self, layer: str, told: str) -> None:
        with pytest.raises(MismatchError) as refused:
            net_of(input_text("x", 1, 3) + layer)
        assert one_line(refused.value).startswith(told)

    def test_types_of_forks_may_have_fewer(self) -> None:
        assert notes(net_of(input_text("x", 1, 3) + layer_text("a", "Axpy", "x"))) == [
            "warning a: Axpy needs 3 bottoms, not 1"
        ]

    def test_the_error_carries_what_was_found_before(self) -> None:
        with pytest.raises(MismatchError) as refused:
            net_of(layer_text("r", "ReLU", "nobodys") + layer_text("f", "Flatten"))
        (line,) = refused.value.warnings
        assert 'r: no layer makes its bottom "nobodys"' in line

    def test_a_file_of_weights_may_lack_them(self) -> None:
        net = build_net("net", message_of(layer_text("f", "Flatten") + layer_text("g", "")).layer, {}, as_stored=True)
        assert not any("Caffe refuses" in note.text for note in net.notes)

    def test_no_type_and_nothing_at_all(self) -> None:
        assert notes(net_of(input_text("x", 1) + "layer { }" + 'layer { name: "n" bottom: "x" }')) == [
            "info layer 1 of the prototxt, counted from 0, is empty, which Caffe refuses",
            "warning n: give it a type: it has none, which Caffe refuses",
        ]


class TestInputsWithoutShape:
    @pytest.mark.parametrize(
        ("layer", "hint"),
        [
            (layer_text("d", "Data", tops="im label"), "--input-shape im=?,?,?,?"),
            (layer_text("d", "Data", tops="im", more="transform_param { crop_size: 9 }"), "--input-shape im=?,?,9,9"),
            (layer_text("d", "HDF5Data", tops="seq"), "--input-shape seq=N,C,H,W"),
        ],
    )
    def test_the_option_is_named(self, layer: str, hint: str) -> None:
        (note,) = notes(net_of(layer))
        assert note.endswith(hint)


class TestOrphans:
    def test_a_bottom_that_nobody_makes_is_a_warning_and_leaves_shapes_open(self) -> None:
        net = net_of(DATA + layer_text("relu", "ReLU", "date") + layer_text("tanh", "TanH", "relu"))
        assert notes(net) == [
            'warning relu: no layer makes its bottom "date", shapes are unknown from here on; '
            'the nearest name is "data"'
        ]
        assert net.layers[1].sources == (None,)
        assert [layer.top_shapes for layer in net.layers[1:]] == [(None,), (None,)]

    def test_no_near_name_is_made_up(self) -> None:
        assert notes(net_of(DATA + layer_text("relu", "ReLU", "xyz"))) == [
            'warning relu: no layer makes its bottom "xyz", shapes are unknown from here on'
        ]

    def test_a_bottom_that_is_made_later_is_an_orphan(self) -> None:
        net = net_of(layer_text("relu", "ReLU", "data") + DATA)
        assert net.layers[0].sources == (None,)

    def test_orphans_get_no_split(self) -> None:
        net = net_of(layer_text("a", "ReLU", "data") + layer_text("b", "ReLU", "data"))
        assert edges(insert_splits(net)) == edges(net)


class TestInputShapes:
    def test_a_shape_that_is_there_is_replaced(self) -> None:
        net = net_of(DATA + layer_text("relu", "ReLU", "data"), input_shapes={"data": (1, 3, 8, 9)})
        assert [layer.top_shapes for layer in net.layers] == [((1, 3, 8, 9),), ((1, 3, 8, 9),)]
        assert net.notes == ()

    def test_a_data_layer_that_does_not_say_gets_one(self) -> None:
        text = layer_text("d", "Data", tops="data label") + layer_text("relu", "ReLU", "data")
        net = net_of(text, input_shapes={"data": (1, 3, 8, 9), "label": (1,)})
        assert net.layers[0].top_shapes == ((1, 3, 8, 9), (1,))
        assert net.layers[1].top_shapes == ((1, 3, 8, 9),)

    def test_one_top_of_two_is_replaced(self) -> None:
        text = 'layer { name: "d" type: "Input" top: "a" top: "b" input_param { shape { dim: 7 } } }'
        net = net_of(text, input_shapes={"b": (2, 2)})
        assert net.layers[0].top_shapes == ((7,), (2, 2))

    def test_a_bottom_that_nobody_makes_takes_one(self) -> None:
        net = net_of(layer_text("relu", "ReLU", "data"), input_shapes={"data": (1, 2)})
        assert notes(net) == ['info relu: no layer makes its bottom "data"; its shape is the one that was given']
        assert net.layers[0].bottom_shapes == ((1, 2),)
        assert net.layers[0].top_shapes == ((1, 2),)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            pytest.param(
                DATA, 'the net has no input "date" to give a shape to; its inputs are: "data"', id="unknown-name"
            ),
            pytest.param(
                layer_text("relu", "ReLU", "x") + layer_text("tanh", "TanH", "x"),
                'the net has no input "date" to give a shape to; its inputs are: "x"',
                id="orphans-are-inputs",
            ),
            pytest.param(
                DATA + layer_text("date", "ReLU", "data"),
                'the net has no input "date" to give a shape to; its inputs are: "data"',
                id="a-computed-blob-is-no-input",
            ),
            pytest.param("", 'the net has no input "date" to give a shape to; its inputs are: none', id="no-layers"),
        ],
    )
    def test_other_names_are_refused(self, text: str, message: str) -> None:
        with pytest.raises(MismatchError) as refused:
            net_of(text, input_shapes={"date": (1,)})
        assert one_line(refused.value) == message


class TestTops:
    @pytest.mark.parametrize(
        "kind",
        [
            "ContrastiveLoss", "EuclideanLoss", "HingeLoss", "InfogainLoss", "MultinomialLogisticLoss",
            "SigmoidCrossEntropyLoss", "SoftmaxWithLoss",
        ],
    )  # fmt: skip
    def test_a_loss_without_a_top_gets_one(self, kind: str) -> None:
        net = net_of(DATA + layer_text("loss", kind, "data data", ""))
        assert net.layers[1].tops == (AUTOMATIC_TOP,) == ("(automatic)",)

    def test_two_automatic_tops_are_no_conflict(self) -> None:
        loss = "EuclideanLoss"
        net = net_of(DATA + layer_text("a", loss, "data data", "") + layer_text("b", loss, "data data", ""))
        assert net.notes == ()

    def test_other_types_get_none(self) -> None:
        assert net_of(DATA + layer_text("silence", "Silence", "data", "")).layers[1].tops == ()

    def test_a_written_top_stays(self) -> None:
        assert net_of(DATA + layer_text("loss", "EuclideanLoss", "data data", "l")).layers[1].tops == ("l",)

    def test_a_top_that_is_there_already_is_a_warning(self) -> None:
        net = net_of(DATA + layer_text("a", "ReLU", "data", "x") + layer_text("b", "TanH", "data", "x"))
        assert notes(net) == ['warning b: its top "x" is made by another layer already; Caffe refuses that']

    def test_in_place_is_position_by_position(self) -> None:
        swapped = layer_text("cut", "Slice", "data", "x data", "slice_param { slice_point: 1 }")
        assert notes(net_of(DATA + swapped)) == [
            'warning cut: its top "data" is made by another layer already; Caffe refuses that'
        ]


class TestSplits:
    def test_one_reader_needs_none(self) -> None:
        net = net_of(DATA + layer_text("relu", "ReLU", "data") + layer_text("tanh", "TanH", "relu"))
        assert edges(insert_splits(net)) == edges(net)

    def test_two_readers(self) -> None:
        net = insert_splits(net_of(DATA + layer_text("a", "ReLU", "data") + layer_text("b", "TanH", "data")))
        assert edges(net) == [
            ("data", "Input", (), ("data",)),
            ("data_data_0_split", "Split", ("data",), ("data_data_0_split_0", "data_data_0_split_1")),
            ("a", "ReLU", ("data_data_0_split_0",), ("a",)),
            ("b", "TanH", ("data_data_0_split_1",), ("b",)),
        ]
        assert net.layers[1].top_shapes == ((2, 3, 4, 5), (2, 3, 4, 5))
        assert [layer.sources for layer in net.layers] == [(), (Source(0, 0),), (Source(1, 0),), (Source(1, 1),)]

    def test_one_reader_twice(self) -> None:
        net = insert_splits(net_of(DATA + layer_text("sum", "Eltwise", "data data")))
        assert net.layers[2].bottoms == ("data_data_0_split_0", "data_data_0_split_1")

    def test_the_split_bears_the_name_of_the_last_writer(self) -> None:
        text = DATA + layer_text("relu", "ReLU", "data", "data")
        net = insert_splits(net_of(text + layer_text("a", "TanH", "data") + layer_text("b", "TanH", "data")))
        assert [layer.name for layer in net.layers] == ["data", "relu", "data_relu_0_split", "a", "b"]
        assert net.layers[1].bottoms == ("data",)

    def test_the_top_is_counted_by_its_position(self) -> None:
        text = DATA + layer_text("cut", "Slice", "data", "x y", "slice_param { slice_point: 1 }")
        net = insert_splits(net_of(text + layer_text("a", "TanH", "y") + layer_text("b", "TanH", "y")))
        assert net.layers[2].name == "y_cut_1_split"
        assert net.layers[2].top_shapes == ((2, 2, 4, 5), (2, 2, 4, 5))

    def test_a_loss_weight_is_a_reader_that_comes_first(self) -> None:
        text = DATA + layer_text("loss", "EuclideanLoss", "data data", "loss", "loss_weight: 2")
        net = insert_splits(net_of(text + layer_text("scaled", "Power", "loss")))
        assert edges(net)[-2:] == [
            ("loss_loss_0_split", "Split", ("loss",), ("loss_loss_0_split_0", "loss_loss_0_split_1")),
            ("scaled", "Power", ("loss_loss_0_split_1",), ("scaled",)),
        ]

    @pytest.mark.parametrize("more", ["", "loss_weight: 0"], ids=["none", "zero"])
    def test_no_loss_weight_is_no_reader(self, more: str) -> None:
        text = DATA + layer_text("loss", "EuclideanLoss", "data data", "loss", more)
        net = insert_splits(net_of(text + layer_text("scaled", "Power", "loss")))
        assert net.layers[-1].bottoms == ("loss",)

    def test_a_loss_weight_alone_needs_no_split(self) -> None:
        net = insert_splits(net_of(DATA + layer_text("l", "EuclideanLoss", "data data", "l", "loss_weight: 2")))
        assert net.layers[-1].tops == ("l",)

    def test_weights_and_notes_stay(self) -> None:
        net = net_of(
            DATA + layer_text("a", "ReLU", "x") + layer_text("b", "ReLU", "data") + layer_text("c", "ReLU", "data")
        )
        assert insert_splits(net).notes == net.notes != ()


def test_settled_shapes_are_those_of_the_last_writer() -> None:
    """A blob that a layer reshapes in place has one shape in a running Caffe, wherever it is looked at."""
    dense = layer_text("dense", "InnerProduct", "relu", "relu", "inner_product_param { num_output: 7 }")
    net = net_of(DATA + layer_text("relu", "ReLU", "data") + dense + layer_text("tanh", "TanH", "relu"))
    assert [layer.top_shapes for layer in net.layers] == [((2, 3, 4, 5),), ((2, 3, 4, 5),), ((2, 7),), ((2, 7),)]
    settled = settle_shapes(net)
    assert [layer.top_shapes for layer in settled.layers] == [((2, 3, 4, 5),), ((2, 7),), ((2, 7),), ((2, 7),)]
    assert [layer.bottom_shapes for layer in settled.layers] == [(), ((2, 3, 4, 5),), ((2, 7),), ((2, 7),)]
