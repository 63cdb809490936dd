"""The catalogue of layer types, and what each wing's table still lacks of it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType

import pytest

from caffe_proto import FIRST_PRIVATE_NUMBER
from caffe_proto.caffe_pb2 import LayerParameter, V1LayerParameter
from caffeconv.catalogue import FAMILIES, LAYER_TYPES, LayerType, merged
from caffeconv.keras.rules.table import RULES
from caffeconv.net.shapes.table import TABLE

WINGS = {"caffeconv.net.shapes": TABLE, "caffeconv.keras.rules": RULES}


def family_file(wing: str, family: str) -> ModuleType:
    return importlib.import_module(f"{wing}.{family}")


def lacks(layer_type: LayerType) -> Iterator[str]:
    """What is still to be done for a type that stands in the catalogue."""
    for wing in WINGS:
        if not layer_type.like and layer_type.name not in family_file(wing, layer_type.family).ROWS:
            yield f"no row in {wing}.{layer_type.family}"
    row, rule = TABLE.get(layer_type.name), RULES.get(layer_type.name)
    if layer_type.like and LAYER_TYPES[layer_type.like].family != layer_type.family:
        yield f"it is like {layer_type.like}, which is of another family"
    alike = [LAYER_TYPES[other] for other, each in TABLE.items() if row and row.blobs and each.blobs is row.blobs]
    for each in alike:
        if not each.fork and each.parameters != layer_type.parameters:
            yield f'its blobs are made as those of {each.name}, whose "parameters" it lacks'
    certain = layer_type.blobs in ("known", "dialects")
    if row is not None and certain != (row.blobs is not None):
        yield f'its blobs are "{layer_type.blobs}", but its row in net/shapes says otherwise'
    if rule is not None and len({bool(rule.weights), bool(rule.blobs), bool(rule.keras)}) > 1:
        yield "its row in keras/rules must name its blobs, its Keras layer and its weights, or none of them"
    if rule is not None and rule.weights and rule.convert is None:
        yield "no function in its row in keras/rules makes the weights that it names"
    if rule is not None and rule.weights and layer_type.blobs == "none":
        yield "it has weights in keras/rules, and no blobs in the catalogue"
    if rule is not None and certain and not rule.weights:
        yield "it has blobs in the catalogue, and no weights in keras/rules"


@pytest.mark.parametrize("layer_type", LAYER_TYPES.values(), ids=lambda each: each.name)
def test_nothing_is_lacking(layer_type: LayerType) -> None:
    told = list(lacks(layer_type))
    assert not told, f"{layer_type.name}: {'; '.join(told)}"


@pytest.mark.parametrize("wing", WINGS)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_row_is_in_the_file_of_its_family(wing: str, family: str) -> None:
    assert {LAYER_TYPES[name].family for name in family_file(wing, family).ROWS} == {family}


@pytest.mark.parametrize("table", WINGS.values(), ids=WINGS)
def test_an_alias_has_the_row_of_the_type_that_it_is(table: dict[str, object]) -> None:
    aliases = {name: each.like for name, each in LAYER_TYPES.items() if each.like}
    assert aliases
    assert all(table[alias] is table[original] for alias, original in aliases.items())


def test_every_type_is_known_once() -> None:
    assert all(name == each.name for name, each in LAYER_TYPES.items())
    spelled = [each.name.lower() for each in LAYER_TYPES.values()]
    # Two recurrent layers, two losses and two unpoolings of different forks differ in their spelling alone.
    assert {name for name in spelled if spelled.count(name) > 1} == {"lstm", "ctcloss", "unpooling"}


def test_parameters_are_fields_that_a_file_of_caffe_may_hold() -> None:
    fields = LayerParameter.DESCRIPTOR.fields_by_name
    for each in LAYER_TYPES.values():
        for parameter in each.parameters.split():
            assert fields[parameter].number < FIRST_PRIVATE_NUMBER, (each.name, parameter)


def test_words_of_2014_are_those_of_the_schema() -> None:
    schema = {value.name: value.number for value in V1LayerParameter.LayerType.DESCRIPTOR.values}
    caffes = {name for name, number in schema.items() if number < FIRST_PRIVATE_NUMBER}
    words = [each.v1 for each in LAYER_TYPES.values() if each.v1]
    assert sorted(words) == sorted(caffes - {"NONE"})
    forks = [word for each in LAYER_TYPES.values() for word in each.fork_v1]
    assert len(set(forks)) == len(forks)
    assert not set(forks) & caffes


@pytest.mark.parametrize(
    ("families", "message"),
    [
        pytest.param(({"Convolutoin": 1},), "no layer type of the catalogue", id="unknown"),
        pytest.param(({"ReLU": 1}, {"ReLU": 2}), "has a row already", id="twice"),
        pytest.param(({"FcRistretto": 1},), "has the row of InnerProduct", id="alias"),
    ],
)
def test_a_table_refuses(families: tuple[dict[str, int], ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        merged(*families)


def test_a_table_has_its_rows_and_those_of_aliases() -> None:
    rows = merged({"InnerProduct": 1}, {"ReLU": 2})
    aliases = {name for name, each in LAYER_TYPES.items() if each.like in ("InnerProduct", "ReLU")}
    assert set(rows) == {"InnerProduct", "ReLU"} | aliases
    assert (rows["InnerProduct"], rows["FcRistretto"], rows["ReLU"]) == (1, 1, 2)


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.weights])
def test_a_type_whose_arrays_have_a_rule_surely_has_some(name: str) -> None:
    """Without that a net would lose them in silence; the centers of a loss are no loss, and some may well lack them."""
    free = name == "CenterLoss" or RULES[name].may_lack
    assert LAYER_TYPES[name].blobs in (("uncertain",) if free else ("known", "dialects", "some"))
