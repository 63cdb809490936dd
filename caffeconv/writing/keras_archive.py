"""Keras 3's file of a whole model: OUT.keras, a ZIP whose members are stored as they are.

    metadata.json       the version whose form this is, and a date, always the same one
    config.json         the layers and operations, and what each is called with (`archive_config`)
    model.weights.h5    /vars, empty, and for each layer with weights a float32 dataset for every one of them:
                        /layers/<class in snake case>[_<number>]/vars/<place>, of recurrent ones …/cell/vars/<place>

Layers of a class are numbered in the order of Keras' `model.layers`, the first without a number. Nothing in it is code,
so it loads in safe mode. The same net gives the same bytes.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from h5py import h5g

from caffeconv.keras.graph import Model
from caffeconv.model import Net, StrPath, Weight
from caffeconv.writing.atomic import beside, replacing
from caffeconv.writing.datasets import created_file, link_properties, reserved
from caffeconv.writing.keras_config import archive_config, ordered_steps, snake_case
from caffeconv.writing.keras_operations import Step
from caffeconv.writing.keras_steps import taken_apart
from caffeconv.writing.offsets import writes_at
from caffeconv.writing.tiles import Piece, Progress, Seen, copy_pieces
from caffeconv.writing.values import Examine, Written

__all__ = ["archiving", "write_keras_archive"]

_METADATA = {"keras_version": "3.0.0", "date_saved": "2024-01-01@00:00:00"}
_WITH_CELLS = ("LSTM", "SimpleRNN")
_JSON = json.JSONEncoder(separators=(",", ":"))
_CHUNK = 2**20  # bytes


def write_keras_archive(path: StrPath, net: Net, model: Model, *, progress: Progress | None = None) -> None:
    """Write a model with its weights, as `archiving` does."""
    with archiving(path, net, model, progress=progress):
        pass


@contextlib.contextmanager
def archiving(
    path: StrPath, net: Net, model: Model, *, progress: Progress | None = None, examine: Examine | None = None
) -> Iterator[None]:
    """Write a model with its weights to a file that appears when the block ends well, and only then.

    `progress` takes the number of bytes of weights written so far, `examine` what was seen of them, before the file
    takes its place.

    Raises UnsupportedError, naming the layer, where Keras' own layers and operations do not make what the net
    computes, and WriteError when the file cannot be written; what was at `path` is still there then.
    """
    inputs, outputs = taken_apart(net, model)
    steps = ordered_steps(outputs)
    config = archive_config(model.name, steps, inputs, outputs)
    weights = list(_places(steps))
    with replacing(path) as temporary:
        with beside(temporary) as stored:
            seen = _write_weights(stored, [(place, weight) for _, place, weight in weights], progress)
            if examine is not None:
                named = zip((each for each in weights if each[2].view.size), seen, strict=True)
                examine([Written(name, weight.name, weight.view, each) for (name, _, weight), each in named])
            _write_members(temporary, config, stored)
        yield


def _write_weights(path: Path, weights: Sequence[tuple[str, Weight]], progress: Progress | None) -> list[Seen]:
    try:
        pieces = _write_structure(path, weights)
    except RuntimeError as error:
        # What HDF5 says of a full disk is of this kind, too.
        raise OSError(str(error)) from error
    with path.open("rb+", buffering=0) as file:
        return copy_pieces(pieces, writes_at(file.fileno()), progress=progress)


def _write_members(path: Path, config: dict[str, Any], weights: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member("metadata.json"), _JSON.encode(_METADATA))
        archive.writestr(_member("config.json"), _JSON.encode(config))
        member = _member("model.weights.h5")
        member.file_size = weights.stat().st_size  # beyond 4 GB a member begins otherwise
        with weights.open("rb") as source, archive.open(member, "w") as target:
            shutil.copyfileobj(source, target, _CHUNK)


def _places(steps: Sequence[Step]) -> Iterator[tuple[str, str, Weight]]:
    """The layer of each weight and where it stands, for layers in the order of Keras' `model.layers`."""
    counts: dict[str, int] = {}
    for step in steps:
        if step.name is None:
            continue
        kind = snake_case(step.class_name)
        name = f"{kind}_{counts[kind]}" if kind in counts else kind
        counts[kind] = counts.get(kind, 0) + 1
        inside = "/cell" if step.class_name in _WITH_CELLS else ""
        for place, weight in enumerate(step.weights):
            yield step.name, f"layers/{name}{inside}/vars/{place}", weight


def _write_structure(path: Path, weights: Sequence[tuple[str, Weight]]) -> list[Piece]:
    """Write all but the values, for which there is room in the file where the pieces say."""
    file = created_file(path)
    try:
        h5g.create(file, b"vars")
        link = link_properties(ascii_only=True)
        return [piece for place, weight in weights for piece in reserved(file, place.encode(), weight, link)]
    finally:
        file.close()


def _member(name: str) -> zipfile.ZipInfo:
    """A member that says nothing of when and where it was written."""
    member = zipfile.ZipInfo(name)  # of 1980, as ZIP counts
    member.create_system = 3
    member.external_attr = 0o600 << 16
    return member
