"""Keras' HDF5 weight files, as `model.save_weights("x.h5")` of Keras 2 writes them and every Keras reads them.

    /                       attributes layer_names, backend, keras_version
    /<layer>                a group for every layer, attribute weight_names: <layer>/<weight>:0, …
                            and attribute caffeconv: what the Keras layer must be, as JSON (`describe_layer`)
    /<layer>/<layer>/<weight>:0    a float32 dataset for every weight

All strings are of fixed length. A list of names that takes more than 64512 bytes MUST be, and a shorter one MUST NOT
be, spread over numbered attributes (`layer_names0`, `layer_names1`, …), since readers before Keras 2.1.5 know none.
Slashes in a layer's name make groups in groups. Datasets are contiguous and without compression, in the oldest form
of the format that HDF5 writes; there are no times in the file, so the same weights give the same bytes.

Source: `save_weights_to_hdf5_group` and `save_attributes_to_hdf5_group` of keras/src/legacy/saving/legacy_h5_format.py.
"""

from __future__ import annotations

import functools
import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
from h5py import h5a, h5g, h5t

from caffeconv.errors import WriteError
from caffeconv.keras.description import describe_layer
from caffeconv.keras.stored_names import (
    ATTRIBUTE_LIMIT,
    RESERVED,
    RESERVED_WHERE_SPREAD,
    attribute_count,
    group_places,
    stored_place,
)
from caffeconv.model import StrPath
from caffeconv.writing.atomic import replacing
from caffeconv.writing.datasets import created_file, link_properties, reserved, space_of
from caffeconv.writing.offsets import writes_at
from caffeconv.writing.tiles import Piece, Progress, copy_pieces
from caffeconv.writing.values import Examine, written_arrays

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from caffeconv.model import LayerWeights

__all__ = ["check_output_name", "write_keras_h5"]

_Bytes: TypeAlias = npt.NDArray[np.bytes_]

# Array layouts are those of Keras 2 since its 2.0.8; readers only ask whether this is 1.
_KERAS_VERSION = b"2.0.8"
_JSON = json.JSONEncoder(separators=(",", ":"))


def check_output_name(path: StrPath) -> None:
    """Raises WriteError for a name under which no Keras 3 would read the file: `*.weights.h5`."""
    name = Path(path).name
    if name.endswith(".weights.h5"):
        raise WriteError(
            f"{os.fspath(path)}: Keras 3 takes *.weights.h5 for a format of its own, which depends on the model; "
            f"choose another name, such as {name.removesuffix('.weights.h5')}.h5"
        )


def write_keras_h5(
    path: StrPath, layers: Sequence[LayerWeights], *, backend: str = "tensorflow", progress: Progress | None = None,
    examine: Examine | None = None,
) -> None:  # fmt: skip
    """Write one float32 dataset for every weight, and a group for every layer, with or without weights.

    `backend` names the Keras backend for which the arrays are laid out. `progress` takes the number of bytes of
    weights written so far, `examine` what was seen of them, before the file takes its place.

    Raises WriteError when a layer's name cannot be kept, two layers would need the same place, a weight's view and
    shape disagree, or the file cannot be written; what was at `path` is still there then.
    """
    check_output_name(path)
    try:
        _check_layers(layers)
    except WriteError as error:
        raise WriteError(f"{os.fspath(path)}: {error}") from None
    with replacing(path) as temporary:
        try:
            pieces = _write_structure(temporary, layers, backend)
        except RuntimeError as error:
            # What HDF5 says of a full disk is of this kind, too.
            raise OSError(str(error)) from error
        with temporary.open("rb+", buffering=0) as file:
            seen = copy_pieces(pieces, writes_at(file.fileno()), progress=progress)
        if examine is not None:
            examine(written_arrays(layers, seen))


def _check_layers(layers: Sequence[LayerWeights]) -> None:
    """Every name must survive, and no dataset may stand where another layer needs a group."""
    names: set[str] = set()
    datasets: dict[str, str] = {}
    for layer in layers:
        _check_layer(layer)
        if layer.name in names:
            raise WriteError(f"two layers are called {layer.name!r}; in a weight file every name must be unique")
        names.add(layer.name)
        datasets.update((stored_place(layer.name, weight.name), layer.name) for weight in layer.weights)
    spread = _attribute_count(_encoded(names)) > 1
    reserved = {**RESERVED, **(RESERVED_WHERE_SPREAD if spread else {})}
    for name in names:
        start = name.split("/", 1)[0]
        if start in reserved:
            raise WriteError(f"layer {name!r}: Keras looks for {reserved[start]} under {start!r}; rename the layer")
        for place in group_places(name):
            owner = datasets.get(place)
            if owner is not None:
                raise WriteError(
                    f"layers {owner!r} and {name!r} would need the same place in the file, since a slash "
                    "makes groups; replace slashes by another string (--slash)"
                )


def _check_layer(layer: LayerWeights) -> None:
    _check_name(f"layer {layer.name!r}", layer.name)
    if any(part in ("", ".") for part in layer.name.split("/")):
        raise WriteError(
            f"layer {layer.name!r}: HDF5 and Keras split names at slashes and refuse empty parts and '.'; "
            "replace slashes by another string (--slash)"
        )
    names = [weight.name for weight in layer.weights]
    for weight in layer.weights:
        where = f"layer {layer.name!r}: weight {weight.name!r}"
        _check_name(where, weight.name, f"{layer.name}/{weight.name}:0")
        if "/" in weight.name or not weight.name or names.count(weight.name) > 1:
            raise WriteError(f"{where} must have a name of its own, without slashes")
        if weight.view.size != math.prod(weight.shape):
            raise WriteError(f"{where} holds {weight.view.size} values, expected {weight.shape}")


def _check_name(where: str, name: str, stored: str | None = None) -> None:
    try:
        size = len((stored or name).encode())
    except UnicodeEncodeError:
        raise WriteError(f"{where}: the name is not valid Unicode") from None
    if "\0" in name:
        raise WriteError(f"{where}: the name has a NUL in it, where HDF5 would end it")
    if size > ATTRIBUTE_LIMIT:
        raise WriteError(f"{where[:80]}…: the name takes {size} bytes, HDF5 has room for {ATTRIBUTE_LIMIT}")


def _write_structure(path: Path, layers: Sequence[LayerWeights], backend: str) -> list[Piece]:
    """Write all but the values, for which there is room in the file where the pieces say."""
    file = created_file(path)
    try:
        root = h5g.open(file, b"/")
        _write_names(root, "layer_names", [layer.name for layer in layers])
        _write_attribute(root, "backend", np.array(backend.encode()))
        _write_attribute(root, "keras_version", np.array(_KERAS_VERSION))
        links = {ascii_only: link_properties(ascii_only) for ascii_only in (True, False)}
        pieces: list[Piece] = []
        groups: set[str] = set()
        for layer in layers:
            link = links[layer.name.isascii()]
            name = layer.name.encode()
            group = h5g.open(file, name) if layer.name in groups else h5g.create(file, name, lcpl=link)
            groups.update((*group_places(layer.name), f"{layer.name}/{layer.name}"))
            _write_names(group, "weight_names", [f"{layer.name}/{weight.name}:0" for weight in layer.weights])
            _write_description(group, layer)
            for weight in layer.weights:
                pieces += reserved(group, f"{layer.name}/{weight.name}:0".encode(), weight, link)
    finally:
        file.close()
    return pieces


def _write_names(group: h5g.GroupID, attribute: str, names: Iterable[str]) -> None:
    """A list of names as one attribute, or as numbered ones of nearly equal length where one would be too large."""
    encoded = _encoded(names)
    count = _attribute_count(encoded)
    if count == 1:
        _write_attribute(group, attribute, encoded)
        return
    for number, part in enumerate(np.array_split(encoded, count)):
        _write_attribute(group, f"{attribute}{number}", part)


def _write_description(group: h5g.GroupID, layer: LayerWeights) -> None:
    """What Keras ignores and a person may look for; names that leave no room for it are longer than any real ones."""
    encoded = _JSON.encode(describe_layer(layer)).encode()
    if len(encoded) <= ATTRIBUTE_LIMIT:
        _write_attribute(group, "caffeconv", np.array(encoded))


def _encoded(names: Iterable[str]) -> _Bytes:
    return np.array([name.encode() for name in names], dtype=np.bytes_)


def _attribute_count(encoded: _Bytes) -> int:
    return attribute_count(encoded.size, encoded.itemsize)


def _write_attribute(group: h5g.GroupID, name: str, value: _Bytes) -> None:
    stored = _text_type(value.itemsize)
    h5a.create(group, name.encode(), stored, space_of(value.shape)).write(value, stored)


# To make a type takes HDF5 about as long as to write an attribute, and a net needs few different ones.
@functools.lru_cache(maxsize=1024)
def _text_type(itemsize: int) -> h5t.TypeID:
    return h5t.py_create(np.dtype((np.bytes_, itemsize)))
