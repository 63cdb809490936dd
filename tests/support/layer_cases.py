"""Layers of forks, each in every form that caffeconv writes, against plain loops over its definition.

CASES = {"halves": Case("Upsample", "upsample_param { … }", ((2, 3, 4, 5),), upsampled)}
TestDefinitions = definition_tests(CASES)
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.model import Array, Net
from caffeconv.writing.keras_archive import write_keras_archive
from tests.support.archives import loaded
from tests.support.described_models import assert_close
from tests.support.graph_runs import blobs, computed
from tests.support.net_builder import input_text, layer_text, net_of
from tests.support.python_models import KERAS, Written, using, written

__all__ = ["Case", "assert_computes", "definition_tests", "random", "types_of"]

Shape = tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Case:
    """A layer on inputs of shapes `bottoms` with blobs of shapes `blobs`.

    `formula(*bottoms, *blobs)` gives its tops, in Caffe's order of axes. `positive` says that its blobs are above 0,
    `arrays` that they are these.
    """

    type: str
    param: str
    bottoms: tuple[Shape, ...]
    formula: Callable[..., Any]
    blobs: tuple[Shape, ...] = ()
    tops: int = 1
    positive: bool = False
    arrays: tuple[Array, ...] = ()


def random(shape: Shape, seed: int) -> Array:
    """Numbers of both signs."""
    array: Array = np.random.default_rng(seed).normal(size=shape).astype("f4")
    return array


def assert_computes(
    net: Net,
    given: Mapping[str, Array],
    expected: Mapping[str, Array],
    folder: Path,
    form: Any,
    tolerance: float = 1e-5,
) -> None:
    """The tops of a net's last layer, or the outputs of its model, are these; `form` is a Keras, "py" or "keras"."""
    model = assembled(net, Options())
    assert [node.problem for node in model.nodes if node.problem] == []
    if isinstance(form, ModuleType):
        made = blobs(model, computed(form, model, given))
        last = len(net.layers) - 1
        got = {top: made[last, number] for number, top in enumerate(net.layers[last].tops)}
    elif form == "py":
        pytest.importorskip("tf_keras" if os.environ.get("TF_USE_LEGACY_KERAS") == "1" else "keras")
        got = dict(written(net, folder).run(given))
    else:
        write_keras_archive(folder / "out.keras", net, model)
        got = dict(Written(net, model, folder / "out.keras").run(given, loaded(folder / "out.keras")))
    assert expected.keys() <= got.keys()
    for name, array in expected.items():
        assert_close(got[name], np.asarray(array), tolerance)


def _case(case: Case) -> tuple[Net, dict[str, Array], dict[str, Array]]:
    given = {f"in{number}": random(shape, number + 1) for number, shape in enumerate(case.bottoms)}
    arrays = [random(shape, 20 + number) for number, shape in enumerate(case.blobs)]
    arrays = [np.abs(array) + np.float32(0.1) for array in arrays] if case.positive else arrays
    arrays = list(case.arrays) or arrays
    tops = [f"out{number}" for number in range(case.tops)]
    text = "".join(input_text(name, *array.shape) for name, array in given.items())
    text += layer_text("it", case.type, " ".join(given), " ".join(tops), case.param)
    net = net_of(text, [("it", arrays)] if arrays else None)
    made = case.formula(*given.values(), *arrays)
    made = made if isinstance(made, tuple) else (made,)
    return net, given, dict(zip(tops, made, strict=True))


def definition_tests(cases: Mapping[str, Case], in_graph: bool = True) -> type:
    """The tests of these cases: node by node, unless a class of written models does it, as Python and as an archive."""
    each = pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in cases.items()])

    class Definitions:
        @each
        def test_in_the_graph(self, case: Case, keras: ModuleType, tmp_path: Path) -> None:
            assert_computes(*_case(case), tmp_path, keras)

        @each
        @pytest.mark.parametrize("keras_name", KERAS)
        def test_as_python(self, case: Case, keras_name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
            using(monkeypatch, keras_name)
            assert_computes(*_case(case), tmp_path, "py")

        @each
        def test_as_an_archive(self, case: Case, tmp_path: Path) -> None:
            assert_computes(*_case(case), tmp_path, "keras")

    if not in_graph:
        del Definitions.test_in_the_graph
    return Definitions


def types_of(cases: Mapping[str, Case]) -> Sequence[str]:
    """The types that they are of."""
    return sorted({case.type for case in cases.values()})
