"""Caffe's HDF5 snapshots (`.caffemodel.h5`).

    data/<layer>/<index>     a float32 or float64 dataset for each parameter that the layer owns
    diff/<layer>/<index>     perhaps, gradients; passed over

A layer without parameters is an empty group; "/" in a layer's name makes nested groups; a parameter that layers share
is stored with its owner only. There are no types and no connections. Source: Net::ToHDF5 in src/caffe/net.cpp.

Links may only be hard ones, and values must lie in this file: a snapshot has no business elsewhere.
"""

from __future__ import annotations

import contextlib
import math
import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import h5py
import numpy as np
from h5py import h5d, h5g, h5l, h5o, h5t

from caffe_proto.caffe_pb2 import LayerParameter, NetParameter
from caffeconv.errors import ParseError
from caffeconv.model import Array, Blob, Note
from caffeconv.reading.wire.format import as_utf8

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

__all__ = ["Maker", "detect_maker", "read_snapshot"]

Maker: TypeAlias = Literal["caffe", "caffe solver", "keras"] | None

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,2}")
_VIEWABLE: Final = ((h5t.IEEE_F16LE, "<f2"), (h5t.IEEE_F32LE, "<f4"), (h5t.IEEE_F64LE, "<f8"))
_WRAPPERS: Final = {h5g.GroupID: h5py.Group, h5d.DatasetID: h5py.Dataset}
_MAX_DEPTH: Final = 64
_MAX_COMPRESSION: Final = 64
"""Trained weights hardly compress: what claims so many times its stored bytes is not weights."""


def detect_maker(path: str, mapped: mmap.mmap) -> Maker:
    """Who wrote an HDF5 file and for what, by the names at its root. Raises: ParseError."""
    with _open(path, mapped) as file:
        names = set(file)
        if "layer_names" in file.attrs or names & {"model_weights", "_layer_checkpoint_dependencies"}:
            return "keras"
        if names >= {"iter", "learned_net"}:
            return "caffe solver"
        return "caffe" if "data" in names and isinstance(_child(file, b"data"), h5py.Group) else None


def read_snapshot(path: str, mapped: mmap.mmap) -> tuple[NetParameter, tuple[Blob, ...], tuple[Note, ...]]:
    """Read an HDF5 snapshot: a net whose layers have names and blobs, and no types.

    `path` is for messages; `mapped` are the bytes of the file, one of which `detect_maker` says "caffe". Layers come in
    the order of their creation where the file tracks it, else by name. Each BlobProto has only its own field `payload`
    set, the index of its values in the tuple of blobs; one without it stands for a parameter that is stored with
    another layer. Contiguous datasets become read-only views into the mapped file, others are read.

    Raises: ParseError, when the file is damaged.
    """
    net = NetParameter()
    blobs: list[Blob] = []
    notes: list[Note] = []
    with _open(path, mapped) as file:
        for layer, datasets in _layers(_child(file, b"data")):
            message = net.layer.add(name=layer)
            try:
                _read_layer(message, datasets, mapped, blobs, notes)
            except ValueError as error:
                raise ParseError(f"{path}: layer {layer!r}: {error}") from error
    return net, tuple(blobs), tuple(notes)


@contextlib.contextmanager
def _open(path: str, mapped: mmap.mmap) -> Iterator[h5py.File]:
    """The file, opened so that whatever HDF5 finds wrong with it comes as a ParseError."""
    try:
        with h5py.File(mapped, "r") as file:
            yield file
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        reason = str(error.args[0] if isinstance(error, KeyError) else error).strip().partition("\n")[0]
        raise ParseError(f"{path} cannot be read as HDF5: {reason}") from error


def _layers(data: h5py.Group) -> Iterator[tuple[str, dict[str, h5py.Dataset]]]:
    """Name and datasets of every layer: of each group that has datasets, or has nothing."""
    seen: set[int] = set()
    waiting = [("", data, 0)]
    while waiting:
        path, group, depth = waiting.pop()
        address = h5o.get_info(group.id).addr
        if address in seen or depth > _MAX_DEPTH:
            raise ValueError(f"the groups of {path or 'data'!r} do not form a tree of layers")
        seen.add(address)
        children = {_text(name): _child(group, name) for name in group.id}
        datasets = {name: child for name, child in children.items() if isinstance(child, h5py.Dataset)}
        groups = [(name, child) for name, child in children.items() if isinstance(child, h5py.Group)]
        if path and (datasets or not groups):
            yield path, datasets
        prefix = f"{path}/" if path else ""
        waiting += [(f"{prefix}{name}", child, depth + 1) for name, child in reversed(groups)]


def _child(group: h5py.Group, name: bytes) -> h5py.Group | h5py.Dataset | None:
    """What a name stands for in this very file; links to elsewhere are never followed."""
    if group.id.links.get_info(name).type != h5l.TYPE_HARD:
        raise ValueError(f"{_text(name)!r} is a link to elsewhere, which is not followed")
    child = h5o.open(group.id, name)
    wrapper = _WRAPPERS.get(type(child))
    return wrapper(child) if wrapper is not None else None


def _text(name: bytes) -> str:
    return as_utf8(name).decode()


def _read_layer(
    message: LayerParameter, datasets: dict[str, h5py.Dataset], mapped: mmap.mmap, blobs: list[Blob], notes: list[Note]
) -> None:
    """Add a BlobProto for every parameter up to the last one that is stored."""
    stored = {int(name): dataset for name, dataset in datasets.items() if _INDEX.fullmatch(name)}
    notes += [
        Note("warning", message.name, f"dataset {name!r} is no parameter and was left out")
        for name in datasets
        if not _INDEX.fullmatch(name)
    ]
    for index in range(max(stored, default=-1) + 1):
        proto = message.blobs.add()
        if index not in stored:
            notes.append(Note("info", message.name, f"parameter {index} is not stored: another layer owns it"))
            continue
        proto.payload = len(blobs)
        try:
            blobs.append(Blob(_read_values(stored[index], mapped)))
        except (ValueError, TypeError) as error:
            raise ValueError(f"parameter {index}: {error}") from error


def _read_values(dataset: h5py.Dataset, mapped: mmap.mmap) -> Array:
    """The values of a dataset, read-only. Sizes are held against the bytes of the file before they are believed."""
    creation = dataset.id.get_create_plist()
    layout = creation.get_layout()
    if layout == h5d.VIRTUAL or creation.get_external_count():
        raise ValueError("its values lie in another file, which is not followed")
    if dataset.shape is None or dataset.dtype.kind != "f":
        raise ValueError(f"holds {dataset.dtype}; Caffe stores float32 or float64")
    size = math.prod(dataset.shape) * dataset.dtype.itemsize
    offset = dataset.id.get_offset()
    stored_type = dataset.id.get_type()
    if layout == h5d.CONTIGUOUS and offset is not None:
        if offset + size > len(mapped):
            raise ValueError(f"expected {size} bytes at {offset}, but the file has only {len(mapped)}")
        for viewable, dtype in _VIEWABLE:
            if stored_type == viewable:
                return np.ndarray(dataset.shape, dtype, mapped, offset)
    chunk = math.prod(dataset.chunks) * dataset.dtype.itemsize if dataset.chunks else 0
    stored = min(dataset.id.get_storage_size(), len(mapped))
    if max(size, chunk) > _MAX_COMPRESSION * stored:
        raise ValueError(f"shape {dataset.shape} needs {max(size, chunk)} bytes, but {stored} are stored")
    values: Array = dataset[()]
    values = np.asarray(values, dataset.dtype.newbyteorder("<"))
    values.flags.writeable = False
    return values
