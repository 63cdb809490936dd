"""Public models, each by the archive that is written for it, compute what real Caffe computed, inside and at the end.

KERAS_BACKEND says on which backend. The models lie beside the checkout where they exist.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from caffeconv.keras.assembling import assembled
from caffeconv.keras.building import Options
from caffeconv.writing.keras_archive import write_keras_archive
from tests.judges.test_models_in_keras import FOLDERS, TOLERANCE, computed_by_caffe, inside
from tests.support.archives import loaded
from tests.support.python_models import Written, worst_error

pytestmark = pytest.mark.skipif(not FOLDERS, reason="no folders of public models beside the checkout")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_archive_computes_what_caffe_computed(folder: Path, tmp_path: Path) -> None:
    net, given, expected = computed_by_caffe(folder)
    model = assembled(net, Options())
    model = replace(model, outputs=(*model.outputs, *inside(net, model, expected)))
    write_keras_archive(tmp_path / "out.keras", net, model)
    got = dict(Written(net, model, tmp_path).run(given, loaded(tmp_path / "out.keras")))
    if not expected:
        pytest.skip("Caffe's own numbers overflow")
    assert expected.keys() <= got.keys()
    errors = {name: worst_error(got[name], array) for name, array in expected.items()}
    assert {name: error for name, error in errors.items() if error > TOLERANCE} == {}
