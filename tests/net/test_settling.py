"""What stored kernels tell of the shapes that a net leaves open, and what follows from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from caffeconv.model import MaybeShape, Net
from caffeconv.net.loading import load_net
from caffeconv.net.settling import settle_from_blobs
from tests.support.net_builder import input_text, layer_text, net_of, values, write_caffemodel, write_text

ODD = layer_text("data", "Data", tops="data") + layer_text("odd", "Strange", "data", "x")
KERNEL = "convolution_param { num_output: 4 kernel_size: 3 %s }"


def conv(name: str, bottom: str, more: str = "", kind: str = "Convolution") -> str:
    return layer_text(name, kind, bottom, more=KERNEL % more)


def shapes(net: Net) -> dict[str, MaybeShape]:
    """Of each blob that a layer makes, the last of its name."""
    return {top: shape for layer in net.layers for top, shape in zip(layer.tops, layer.top_shapes, strict=True)}


def assert_one_shape_for_a_blob(net: Net) -> None:
    """Whoever reads a blob sees it as its maker does, and another look adds nothing."""
    for layer in net.layers:
        for source, shape in zip(layer.sources, layer.bottom_shapes, strict=True):
            if source is not None:
                assert shape == net.layers[source.layer].top_shapes[source.top]
    again = settle_from_blobs(net)
    assert [(layer.bottom_shapes, layer.top_shapes) for layer in again.layers] == [
        (layer.bottom_shapes, layer.top_shapes) for layer in net.layers
    ]


@pytest.mark.parametrize(
    ("text", "kernel", "bottom"),
    [
        pytest.param(conv("c", "x"), (4, 3, 3, 3), (None, 3, None, None), id="images"),
        pytest.param(conv("c", "x", "group: 2"), (4, 3, 3, 3), (None, 6, None, None), id="groups"),
        pytest.param(conv("c", "x"), (4, 3, 3), (None, 3, None), id="lines"),
        pytest.param(conv("c", "x"), (4, 3, 3, 3, 3), (None, 3, None, None, None), id="volumes"),
        pytest.param(conv("c", "x", kind="Deconvolution"), (5, 4, 3, 3), (None, 5, None, None), id="transposed"),
        pytest.param(
            conv("c", "x", "group: 2", "Deconvolution"), (6, 2, 3, 3), (None, 6, None, None), id="transposed-groups"
        ),
        pytest.param(
            conv("c", "x", kind="ConvolutionDepthwise"), (4, 1, 3, 3), (None,) * 4,
            id="outputs-may-be-a-multiple-of-channels",
        ),
        pytest.param(
            layer_text("c", "InnerProduct", "x", more="inner_product_param { num_output: 4 }"), (4, 12), None,
            id="features-may-be-those-of-maps",
        ),
    ],
)  # fmt: skip
def test_a_kernel_tells_of_its_bottom(text: str, kernel: tuple[int, ...], bottom: MaybeShape) -> None:
    net = net_of(ODD + text, [("c", [values(*kernel), values(4)])])
    assert shapes(net)["x"] == bottom
    assert net.layers[-1].bottom_shapes == (bottom,)
    assert shapes(net_of(ODD + text))["x"] is None
    assert_one_shape_for_a_blob(net)


def test_what_follows_is_known_as_well() -> None:
    net = net_of(
        ODD
        + conv("c", "x")
        + layer_text("r", "ReLU", "c", "c")
        + layer_text("p", "Pooling", "c", more="pooling_param { kernel_size: 2 stride: 2 }")
        + layer_text("g", "Pooling", "p", more="pooling_param { global_pooling: true }")
        + layer_text("flat", "Flatten", "g"),
        [("c", [values(4, 3, 3, 3), values(4)])],
    )
    assert [shapes(net)[name] for name in ("c", "p", "g", "flat")] == [
        (None, 4, None, None), (None, 4, None, None), (None, 4, 1, 1), (None, 4)
    ]  # fmt: skip
    assert_one_shape_for_a_blob(net)


def test_one_kernel_after_the_other() -> None:
    """What the first tells reaches the second layer of an unknown type through nothing: its own kernel must tell."""
    text = ODD + conv("one", "x") + layer_text("odd2", "Strange", "one", "y") + conv("two", "y")
    net = net_of(text, [("one", [values(4, 3, 3, 3), values(4)]), ("two", [values(4, 7, 3, 3), values(4)])])
    assert [shapes(net)[name] for name in ("x", "one", "y", "two")] == [
        (None, 3, None, None), (None, 4, None, None), (None, 7, None, None), (None, 4, None, None)
    ]  # fmt: skip
    assert_one_shape_for_a_blob(net)


def test_what_is_known_is_completed() -> None:
    """A cropped image of a database: all but its channels is in the prototxt."""
    data = layer_text("data", "Data", tops="x", more="data_param { batch_size: 8 } transform_param { crop_size: 9 }")
    net = net_of(data + conv("c", "x"), [("c", [values(4, 3, 3, 3), values(4)])])
    assert (shapes(net)["x"], shapes(net)["c"]) == ((8, 3, 9, 9), (8, 4, 7, 7))
    assert_one_shape_for_a_blob(net)


@pytest.mark.parametrize("order", [1, -1], ids=["one-way", "other-way"])
@pytest.mark.parametrize(
    ("kernels", "allowed"),
    [
        pytest.param(((4, 3, 3, 3), (4, 5, 3, 3)), [(None, 3, None, None), (None, 5, None, None)], id="channels"),
        pytest.param(((4, 3, 3, 3), (4, 3, 3, 3, 3)), [(None, 3, *[None] * rank) for rank in (2, 3)], id="axes"),
    ],
)
def test_kernels_that_contradict_each_other(
    order: int, kernels: tuple[tuple[int, ...], ...], allowed: list[MaybeShape]
) -> None:
    """One of them is believed, and the same by all."""
    weights = [(name, [values(*kernel), values(4)]) for name, kernel in zip("ab"[::order], kernels, strict=True)]
    net = net_of(ODD + conv("a", "x") + conv("b", "x") + layer_text("r", "ReLU", "x"), weights)
    assert shapes(net)["x"] in allowed
    assert shapes(net)["r"] == shapes(net)["x"]
    assert_one_shape_for_a_blob(net)


def test_what_is_known_of_a_top_is_not_contradicted() -> None:
    """Global pooling leaves one pixel whatever the kernel behind it is: the maps' channels come from it alone."""
    text = ODD + layer_text("roi", "ROIPooling", "x odd2", more="roi_pooling_param { pooled_h: 7 pooled_w: 5 }")
    text = layer_text("d", "Data", tops="odd2") + text + conv("c", "roi")
    net = net_of(text, [("c", [values(4, 3, 3, 3), values(4)])])
    assert shapes(net)["roi"] == (None, 3, 7, 5)
    assert shapes(net)["c"] == (None, 4, 5, 3)
    assert_one_shape_for_a_blob(net)


def test_a_kernel_of_other_axes_than_are_known() -> None:
    """Data are images; a kernel of three axes says nothing of them."""
    data = layer_text("data", "Data", tops="x", more="data_param { batch_size: 8 }")
    net = net_of(data + layer_text("r", "ReLU", "x") + layer_text("c", "CConvolution", "r", more=KERNEL % ""),
                 [("c", [values(4, 3, 3, 3, 3), values(4)])])  # fmt: skip
    assert shapes(net)["r"] == (8, None, None, None)
    assert_one_shape_for_a_blob(net)


def test_a_blob_that_nobody_makes_is_one_for_all_who_read_it() -> None:
    net = net_of(layer_text("r", "ReLU", "x") + conv("c", "x"), [("c", [values(4, 3, 3, 3), values(4)])])
    assert [layer.bottom_shapes for layer in net.layers] == [((None, 3, None, None),)] * 2
    assert shapes(net) == {"r": (None, 3, None, None), "c": (None, 4, None, None)}


def test_a_ring_of_in_place_layers_ends() -> None:
    text = ODD + "".join(layer_text(f"r{number}", "ReLU", "x", "x") for number in range(40))
    text += "".join(conv(f"c{number}", "x", f"group: {number + 1}") for number in range(6))
    weights = [(f"c{number}", [values(12, number + 1, 3, 3), values(12)]) for number in range(6)]
    net = net_of(text.replace("num_output: 4", "num_output: 12"), weights)
    told = shapes(net)["x"]
    assert told is not None
    assert told[1] in {(number + 1) ** 2 for number in range(6)}
    assert_one_shape_for_a_blob(net)


def test_in_a_load(tmp_path: Path) -> None:
    weights = [("c", [values(4, 3, 3, 3), values(4)])]
    net = load_net(
        write_text(tmp_path / "net.prototxt", ODD + conv("c", "x")),
        write_caffemodel(tmp_path / "net.caffemodel", weights),
    )
    assert shapes(net)["x"] == (None, 3, None, None)


class TestInputs:
    """An InnerProduct alone may stand behind maps as behind a vector; of an input, the latter is taken."""

    @pytest.mark.parametrize(
        ("more", "kernel", "shape"),
        [
            pytest.param("", (4, 12), (None, 12), id="plain"),
            pytest.param("transpose: true", (12, 4), (None, 12), id="transposed"),
            pytest.param("axis: 2", (4, 12), None, id="another-axis"),
        ],
    )
    def test_one_that_a_product_reads(self, more: str, kernel: tuple[int, ...], shape: MaybeShape) -> None:
        text = layer_text("fc", "InnerProduct", "x", more=f"inner_product_param {{ num_output: 4 {more} }}")
        weights = [("fc", [values(*kernel), values(4)])]
        assert net_of(text, weights).layers[0].bottom_shapes == (None,), "nobody makes it: a layer lacks before it"
        assert shapes(net_of(layer_text("i", "Input", tops="x") + text, weights))["x"] == shape

    def test_a_convolution_knows_better(self) -> None:
        text = layer_text("fc", "InnerProduct", "x", more="inner_product_param { num_output: 4 }") + conv("c", "x")
        net = net_of(text, [("fc", [values(4, 12), values(4)]), ("c", [values(4, 3, 3, 3), values(4)])])
        assert {layer.bottom_shapes for layer in net.layers} == {((None, 3, None, None),)}

    def test_maps_of_a_known_shape_stay(self) -> None:
        text = input_text("x", 2, 3, 2, 2) + layer_text(
            "fc", "InnerProduct", "x", more="inner_product_param { num_output: 4 }"
        )
        assert shapes(net_of(text, [("fc", [values(4, 12), values(4)])]))["x"] == (2, 3, 2, 2)
