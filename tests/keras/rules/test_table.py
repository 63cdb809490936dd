"""The table of rules as a whole: every row has a case in the test of its family."""

from __future__ import annotations

from pathlib import Path

from caffeconv.keras.rules.table import WEIGHTED
from tests.support import caffe_cases, formula_cases
from tests.support.caffe_listing import MANIFEST
from tests.support.caffe_runs import listing
from tests.support.families import modules_by_family, tables

HERE = "tests.keras.rules"
KNOWN = set(MANIFEST["versions"]["layer_types"])
"""The types that Caffe can run."""

CAFFE: list[caffe_cases.Case] = [case for cases in tables(HERE, "CAFFE") for case in cases.values()]
FORMULAS: list[formula_cases.Case] = [case for cases in tables(HERE, "FORMULAS") for case in cases]


def test_every_row_that_caffe_can_run_has_a_case() -> None:
    assert {case.type for case in CAFFE} == KNOWN & set(WEIGHTED)


def test_every_row_that_caffe_cannot_run_has_a_case() -> None:
    proven = {case.type for case in FORMULAS}.union(*tables(HERE, "STORED"), *tables(HERE, "BY_ITSELF"))
    assert set(WEIGHTED) - KNOWN <= proven


def test_every_layer_that_learns_has_a_case() -> None:
    learned = {
        f"{fixture}/{layer['name']}" for fixture in caffe_cases.RUN for layer in listing(fixture) if layer["blobs"]
    }
    assert {case.id for case in CAFFE} == learned - caffe_cases.SCALES


def test_a_type_is_tested_in_one_family() -> None:
    types: list[str] = []
    for module in modules_by_family(HERE).values():
        tested = {case.type for case in getattr(module, "CAFFE", {}).values()}
        tested |= {case.type for case in getattr(module, "FORMULAS", ())}
        types += tested.union(getattr(module, "STORED", ()), getattr(module, "BY_ITSELF", ()))
    assert len(types) == len(set(types))


@formula_cases.of_each(FORMULAS)
def test_no_transposed_convolution_is_asked_for_dilation(tmp_path: Path, case: formula_cases.Case) -> None:
    """TensorFlow computes none on a CPU without oneDNN."""
    layers, _ = formula_cases.converted(case, tmp_path)
    (described,) = layers.of["it"]
    keras, notes = described["keras"], [note["text"] for note in described["notes"]]
    transposed = keras["class_name"].endswith("Transpose")
    assert not (transposed and "dilation_rate" in keras["arguments"])
    assert any("zeros between the taps" in note for note in notes) == (transposed and "dilation" in case.name)
