"""Names of layers in the output: replaced slashes, given names, names that no format can hold."""

from __future__ import annotations

import numpy as np
import pytest

from caffeconv.errors import MismatchError
from caffeconv.keras.adjust.renaming import rename_layers
from caffeconv.model import LayerWeights, Note, Result, Weight
from tests.support.net_builder import one_line


def result_of(*names: str) -> Result:
    return Result(tuple(LayerWeights(name, "Convolution", (name,)) for name in names))


def names_of(result: Result) -> list[str]:
    return [layer.name for layer in result.layers]


def test_slashes_are_replaced_and_said() -> None:
    renamed = rename_layers(result_of("a/b/c", "d"), slash="_")
    assert names_of(renamed) == ["a_b_c", "d"]
    assert renamed.notes == (Note("info", "a/b/c", 'called "a_b_c" in the output'),)
    assert renamed.layers[0].origins == ("a/b/c",)


@pytest.mark.parametrize(("slash", "expected"), [("", "ab"), ("::", "a::b"), ("/", "a/b")])
def test_any_string_will_do(slash: str, expected: str) -> None:
    assert names_of(rename_layers(result_of("a/b"), slash=slash)) == [expected]


def test_given_names_come_first_and_their_slashes_are_replaced_too() -> None:
    renamed = rename_layers(result_of("a/b", "c"), {"a/b": "x/y", "c": "a/b"}, slash="_")
    assert names_of(renamed) == ["x_y", "a_b"]


def test_two_may_swap_names() -> None:
    assert names_of(rename_layers(result_of("a", "b"), {"a": "b", "b": "a"})) == ["b", "a"]


def test_notes_are_kept() -> None:
    note = Note("warning", "a", "something")
    result = Result(result_of("a").layers, (note,))
    assert rename_layers(result, {"a": "b"}).notes[0] == note


@pytest.mark.parametrize(
    ("names", "renames", "message"),
    [
        pytest.param(["a/b", "a_b"], {}, 'layers "a/b" and "a_b" would both be called "a_b"', id="slash-collides"),
        pytest.param(["a_b", "a/b"], {}, 'layers "a_b" and "a/b" would both be called "a_b"', id="other-way-round"),
        pytest.param(["a", "b"], {"a": "b"}, 'layers "a" and "b" would both be called "b"', id="given-name-collides"),
        pytest.param(["a"], {"b": "c"}, 'there is no layer "b" to rename', id="unknown-layer"),
        pytest.param(["a"], {"a": ""}, 'layer "a" would get an empty name', id="empty"),
    ],
)
def test_refusals(names: list[str], renames: dict[str, str], message: str) -> None:
    with pytest.raises(MismatchError) as refused:
        rename_layers(result_of(*names), renames, slash="_")
    assert one_line(refused.value) == message


def test_names_of_layers_that_are_not_in_the_output_are_passed_over() -> None:
    renamed = rename_layers(result_of("a"), {"relu": "r", "a": "b"}, others={"relu", "a"})
    assert names_of(renamed) == ["b"]
    assert renamed.notes[0].layer == "relu"
    with pytest.raises(MismatchError, match="there is no layer"):
        rename_layers(result_of("a"), {"rleu": "r"}, others={"relu", "a"})


class TestEmptyParts:
    def test_slashes_at_the_ends_and_doubled_ones_go(self) -> None:
        dropped = rename_layers(result_of("/a", "b//c/", "d/e"))
        assert names_of(dropped) == ["a", "b/c", "d/e"]
        assert [str(note) for note in dropped.notes if note.level == "warning"] == [
            'slashes that no Keras layer can have are left out of names: "/a" -> "a" and 1 more'
        ]

    def test_plain_names_stay_as_they_are(self) -> None:
        renamed = rename_layers(result_of("a", "b/c"))
        assert (names_of(renamed), renamed.notes) == (["a", "b/c"], ())

    def test_a_given_name_is_for_the_name_that_caffe_has(self) -> None:
        renamed = rename_layers(result_of("/a", "a"), {"/a": "b"})
        assert (names_of(renamed), [note.level for note in renamed.notes]) == (["b", "a"], ["info"])

    def test_a_name_that_is_right_keeps_it(self) -> None:
        assert names_of(rename_layers(result_of("/a", "a", "a_2", "a/"))) == ["a_3", "a", "a_2", "a_4"]

    def test_the_name_that_a_layer_gets_is_told(self) -> None:
        renamed = rename_layers(result_of("/a", "a/"))
        assert renamed.notes == (
            Note("info", "/a", 'called "a" in the output'),
            Note("info", "a/", 'called "a_2" in the output'),
            Note("warning", None, 'slashes that no Keras layer can have are left out of names: "/a" -> "a"'),
            Note(
                "warning", None, 'names that no file of weights can hold beside the others are changed: "a/" -> "a_2"'
            ),
        )

    def test_a_name_of_slashes_alone(self) -> None:
        assert names_of(rename_layers(result_of("//", "", "layer"))) == ["layer_2", "layer_3", "layer"]

    def test_a_replaced_slash_goes_before_a_name_that_gives_way(self) -> None:
        assert names_of(rename_layers(result_of("/a/b", "a_b", "a//b"), slash="_")) == ["a_b_2", "a_b", "a_b_3"]

    def test_a_given_name_goes_before_a_name_that_gives_way(self) -> None:
        assert names_of(rename_layers(result_of("/b", "a"), {"a": "b"})) == ["b_2", "b"]

    def test_a_given_name_that_is_another_layers_is_refused(self) -> None:
        with pytest.raises(MismatchError, match='layers "/b" and "b" would both be called "b"'):
            rename_layers(result_of("/b", "b"), {"/b": "b"})


class TestPlaces:
    """A group cannot lie where another layer has an array."""

    @staticmethod
    def renamed(*names: str, given: dict[str, str] | None = None) -> list[str]:
        arrays = (Weight("kernel", np.zeros(1), (1,)),)
        layers = tuple(LayerWeights(name, "Convolution", (name,), arrays) for name in names)
        return names_of(rename_layers(Result(layers), given))

    def test_the_deeper_one_gets_another_name(self) -> None:
        assert self.renamed("a", "a/a/kernel:0") == ["a", "a_a_kernel:0"]
        assert self.renamed("a/a/kernel:0/b", "a", "a_a_kernel:0_b") == ["a_a_kernel:0_b_2", "a", "a_a_kernel:0_b"]

    def test_names_in_names_stay(self) -> None:
        assert self.renamed("a", "a/a", "a/kernel", "a/b/c") == ["a", "a/a", "a/kernel", "a/b/c"]

    def test_a_given_name_stays(self) -> None:
        """The writer refuses it."""
        assert self.renamed("a", "b", given={"b": "a/a/kernel:0"}) == ["a", "a/a/kernel:0"]
