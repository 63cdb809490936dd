"""A live Caffe as the judge: of the goldens in `fixtures/`, and of caffeconv on them and on any models the user names.

`CAFFECONV_PYCAFFE` is the command of a Python that can import caffe (`docker/bring_up_pycaffe.sh` prints one), default
`python3`. `CAFFECONV_CROSSCHECK` names a folder: every folder in it with one `*.caffemodel` or `*.caffemodel.h5` and a
`caffe.prototxt`, a `deploy.prototxt` or a single other prototxt is compared, too.
"""

from __future__ import annotations

import functools
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import caffeconv
from caffeconv.net import ALL, insert_splits
from tests.judges.make_upgrade import upgraded_by_caffe
from tests.judges.pycaffe_client import ask, missing
from tests.support.caffe_listing import MANIFEST, of_caffe, of_dicts, of_net
from tests.support.places import FIXTURES

# A Caffe that the user names and that does not answer is a failure, not a reason to skip.
NO_CAFFE = None if os.environ.get("CAFFECONV_PYCAFFE") else missing()
pytestmark = pytest.mark.skipif(NO_CAFFE is not None, reason=NO_CAFFE or "")

Files = dict[str, bytes]

STATES: list[tuple[str, str, str | None]] = [
    (name, state, weights)
    for name, entry in MANIFEST["fixtures"].items()
    for state in entry["states"]
    for weights in entry["weights"] or [None]
]
every_state = pytest.mark.parametrize(
    ("name", "state", "weights"), [pytest.param(*case, id="-".join(filter(None, case))) for case in STATES]
)


@functools.cache
def fixture_answers() -> dict[str, Files]:
    """What Caffe says of every fixture, state and file of weights, asked once."""
    paths = [path for path in FIXTURES.glob("*/*") if ".prototxt" in path.name or ".caffemodel" in path.name]
    jobs = [job(*case) for case in STATES]
    return ask(jobs, {f"{path.parent.name}/{path.name}": path.read_bytes() for path in paths})


def job(name: str, state: str, weights: str | None) -> dict[str, Any]:
    """One fixture in one state, run as `make_fixtures.py` ran it if it has activations."""
    entry = MANIFEST["fixtures"][name]
    return {
        "name": f"{name}/{state}/{weights}",
        "prototxt": f"{name}/net.prototxt",
        "weights": f"{name}/{weights}" if weights else None,
        "seed": entry["seed"],
        "inputs": entry["inputs"],
        "activations": state == "caffe.json" and "activations.npz" in entry["files"],
        **entry["states"][state],
    }


def answer(name: str, state: str, weights: str | None) -> Files:
    files = fixture_answers()[f"{name}/{state}/{weights}"]
    assert "error.txt" not in files, files["error.txt"].decode()
    return files


@every_state
def test_the_fixtures_are_what_caffe_says(name: str, state: str, weights: str | None) -> None:
    files = answer(name, state, weights)
    golden = json.loads((FIXTURES / name / state).read_text())
    live = json.loads(files["caffe.json"])
    if not weights or state != "caffe.json":  # made without the saved weights
        golden.pop("weight_sha256"), live.pop("weight_sha256")
    assert live == golden
    if "activations.npz" in files:
        with np.load(io.BytesIO(files["activations.npz"])) as now, np.load(FIXTURES / name / "activations.npz") as then:
            assert sorted(now) == sorted(then)
            for key in then:
                np.testing.assert_allclose(now[key], then[key], rtol=1e-5, atol=1e-6, err_msg=key)


@every_state
def test_caffeconv_lists_what_a_running_caffe_lists(name: str, state: str, weights: str | None) -> None:
    expected = of_caffe(answer(name, state, weights)["caffe.json"])
    prototxt = FIXTURES / name / "net.prototxt"
    caffemodel = FIXTURES / name / weights if weights else None
    if caffemodel and not MANIFEST["fixtures"][name]["states"][state]:
        assert of_dicts(caffeconv.convert_caffemodel_to_dict(prototxt, caffemodel)) == expected
    net = caffeconv.load_net(prototxt, caffemodel, **MANIFEST["fixtures"][name]["states"][state])
    assert of_net(insert_splits(net)) == (expected if caffemodel else [without_weights(line) for line in expected])


def without_weights(line: str) -> str:
    """Caffe gives layers their fillers' values where no file is loaded, caffeconv nothing."""
    return line.partition(";")[0] + "; "


@pytest.mark.parametrize("name", ["batch_norm", "batch_norm_edges", "residual_block"])
def test_batch_norms_compute_what_a_running_caffe_computes(name: str) -> None:
    folder = FIXTURES / name
    result = caffeconv.convert(caffeconv.load_net(folder / "net.prototxt", folder / "net.caffemodel"))
    files = answer(name, "caffe.json", "net.caffemodel")
    index = {layer["name"]: place for place, layer in enumerate(json.loads(files["caffe.json"])["layers"])}
    normalized = [layer for layer in result.layers if layer.type == "BatchNorm"]
    assert normalized
    with np.load(io.BytesIO(files["activations.npz"])) as arrays:
        for layer in normalized:
            assert layer.keras is not None
            epsilon = dict(layer.keras.arguments)["epsilon"]
            weights = {weight.name: weight.array.astype("f8") for weight in layer.weights}
            bottom = np.moveaxis(arrays[f"bottom|{index[layer.origins[0]]}|0"], 1, -1)
            top = np.moveaxis(arrays[f"top|{index[layer.origins[-1]]}|0"], 1, -1)
            computed = (bottom - weights["moving_mean"]) / np.sqrt(weights["moving_variance"] + epsilon)
            computed = computed * weights.get("gamma", 1) + weights.get("beta", 0)
            np.testing.assert_allclose(computed, top, rtol=1e-4, atol=1e-5, err_msg=layer.name)


def test_the_upgraded_nets_are_what_caffe_writes() -> None:
    for path, content in upgraded_by_caffe().items():
        assert path.read_bytes() == content, path.name


def pairs() -> list[Any]:
    """The models in `CAFFECONV_CROSSCHECK`."""
    base = os.environ.get("CAFFECONV_CROSSCHECK")
    found = []
    for folder in sorted(path for path in Path(base).rglob("*") if path.is_dir()) if base else []:
        weights = [*folder.glob("*.caffemodel"), *folder.glob("*.caffemodel.h5")]
        nets = [path for name in ("caffe.prototxt", "deploy.prototxt") if (path := folder / name).exists()]
        nets = nets or list(folder.glob("*.prototxt"))[:2]
        if len(weights) == 1 and (len(nets) == 1 or nets[0].name == "caffe.prototxt"):
            found.append(pytest.param(nets[0], weights[0], id=str(folder.relative_to(base or ""))))
    reason = "CAFFECONV_CROSSCHECK names no folder" if not base else f"no folder in {base} has a net and its weights"
    return found or [pytest.param(None, None, id="none", marks=pytest.mark.skip(reason=reason))]


@pytest.mark.parametrize(("prototxt", "caffemodel"), pairs())
def test_caffeconv_agrees_on_the_models_of_the_user(prototxt: Path, caffemodel: Path) -> None:
    task = {"name": "model", "prototxt": "net.prototxt", "weights": caffemodel.name}
    files = ask([task], {"net.prototxt": prototxt.read_bytes(), caffemodel.name: caffemodel.read_bytes()})["model"]
    if "error.txt" in files:
        pytest.skip(f"Caffe itself refuses it: {files['error.txt'].decode()[:300]}")
    says = json.loads(files["caffe.json"])
    expected = of_caffe(files["caffe.json"])
    assert of_net(insert_splits(caffeconv.load_net(prototxt, caffemodel, allow_missing=[ALL]))) == expected
    if len(says["weight_sha256"]) == sum(len(layer["blobs"]) for layer in says["layers"]):
        assert of_dicts(caffeconv.convert_caffemodel_to_dict(prototxt, caffemodel)) == expected
    else:  # Caffe goes on with fillers, caffeconv never silently
        with pytest.raises(caffeconv.MismatchError, match="has no weights"):
            caffeconv.convert_caffemodel_to_dict(prototxt, caffemodel)
