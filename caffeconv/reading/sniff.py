"""What kind of file this is, told by its content and never by its name.

Caffe's users name files as they like (`lenet_iter_10000`, `deploy.txt`, `x.json.caffemodel`), and what they have may be
something else: a page instead of a download, a Git LFS pointer, an archive. Only the first few KB are looked at.
"""

from __future__ import annotations

import codecs
import dataclasses
import enum
import os
import re
from typing import TYPE_CHECKING, Final

from caffeconv.errors import ParseError
from caffeconv.model import StrPath
from caffeconv.reading.files import MappedFile, map_file, open_file, read_rest
from caffeconv.reading.wire.format import FIXED32, FIXED64, LENGTH, VARINT, Cut, Damage, walk_fields

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Kind", "OpenedFile", "detect_kind", "open_input"]

_HEAD: Final = 8192


class Kind(enum.Enum):
    """A kind of file; the value finishes the sentence "FILE is ..."."""

    CAFFEMODEL = "a caffemodel (binary weights)"
    HDF5_SNAPSHOT = "an HDF5 snapshot of Caffe (weights)"
    PROTOTXT = "a prototxt (text)"

    BINARYPROTO = "a binaryproto (one blob, such as a mean image), which has no layers"
    SOLVER_STATE = "a solver state, which has no layers: the caffemodel of the same iteration has the weights"
    KERAS_HDF5 = "an HDF5 file of Keras, not of Caffe"
    OTHER_HDF5 = "an HDF5 file, but not a snapshot of Caffe: it has no group 'data'"
    EMPTY = "empty"
    LFS_POINTER = "a Git LFS pointer: fetch the real file with `git lfs pull`"
    HTML = "an HTML page, probably a failed download"
    XML = "an XML document"
    JSON = "a JSON document"
    TEXT = "a text, but not a prototxt"
    UTF16 = "a text in UTF-16: save it as UTF-8"
    ZIP = "a ZIP archive: unpack it first"
    GZIP = "compressed with gzip: unpack it first"
    BZIP2 = "compressed with bzip2: unpack it first"
    XZ = "compressed with xz: unpack it first"
    SEVEN_ZIP = "a 7-Zip archive: unpack it first"
    RAR = "a RAR archive: unpack it first"
    TAR = "a tar archive: unpack it first"
    PICKLE = "a Python pickle"
    NUMPY = "a NumPy array file"
    PNG = "a PNG image"
    JPEG = "a JPEG image"
    UNKNOWN = "of no kind known here, or damaged from its start"


_HDF5_KINDS: Final = {
    "caffe": Kind.HDF5_SNAPSHOT,
    "caffe solver": Kind.SOLVER_STATE,
    "keras": Kind.KERAS_HDF5,
    None: Kind.OTHER_HDF5,
}
_EXPECTED: Final = {
    Kind.CAFFEMODEL: "the caffemodel (binary weights)",
    Kind.HDF5_SNAPSHOT: "Caffe's HDF5 snapshot",
    Kind.PROTOTXT: "the prototxt (text)",
}

_HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
_HDF5_OFFSETS: Final = (0, 512, 1024, 2048, 4096)
_MAGICS: Final = (
    (b"PK\x03\x04", Kind.ZIP),
    (b"PK\x05\x06", Kind.ZIP),
    (b"\x1f\x8b\x08", Kind.GZIP),
    (b"BZh", Kind.BZIP2),
    (b"\xfd7zXZ\x00", Kind.XZ),
    (b"7z\xbc\xaf\x27\x1c", Kind.SEVEN_ZIP),
    (b"Rar!\x1a\x07", Kind.RAR),
    (b"\x93NUMPY", Kind.NUMPY),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"\x80\x02", Kind.PICKLE),
    (b"\x80\x03", Kind.PICKLE),
    (b"\x80\x04", Kind.PICKLE),
    (b"\x80\x05", Kind.PICKLE),
    (b"\xff\xfe", Kind.UTF16),
    (b"\xfe\xff", Kind.UTF16),
)
_TAR_MAGIC: Final = b"ustar"
_TAR_OFFSET: Final = 257

_NOT_TEXT: Final = re.compile(rb"[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")
_COMMENT: Final = re.compile(rb"#[^\r\n]*")
_PROTOTXT_FIELD: Final = re.compile(rb"\b[A-Za-z_]\w*\s*([{<]|:(?!//))")
_TEXTS: Final = (
    (re.compile(rb"version https://git-lfs\.github\.com/spec/"), Kind.LFS_POINTER),
    (re.compile(rb"\s*<(!doctype\s+html|html|head|body|!--)", re.IGNORECASE), Kind.HTML),
    (re.compile(rb"\s*<\?xml", re.IGNORECASE), Kind.XML),
    (re.compile(rb"\s*[\[{]"), Kind.JSON),
)

_FIELDS_OF_A_NET: Final = {1: LENGTH, 3: LENGTH, 4: VARINT, 5: VARINT, 6: LENGTH, 7: VARINT, 8: LENGTH}
_LAYERS_OF_A_NET: Final = {
    100 << 3 | LENGTH: {**dict.fromkeys((1, 2, 3, 4, 6, 7, 8, 9), LENGTH), 10: VARINT},
    2 << 3 | LENGTH: {**dict.fromkeys((1, 2, 3, 4, 6), LENGTH), 5: VARINT},
}
"""Wire types by field number: of a NetParameter, and of its two layer messages (`layer`, `layers`)."""
_DIMS_OF_A_BLOB: Final = {1: VARINT, 2: VARINT, 3: VARINT, 4: VARINT, 7: LENGTH}
_DATA_OF_A_BLOB: Final = {5 << 3 | LENGTH, 5 << 3 | FIXED32, 8 << 3 | LENGTH, 8 << 3 | FIXED64}


@dataclasses.dataclass(frozen=True, eq=False)
class OpenedFile:
    """A file that was opened, once: its path for messages, its kind, and its bytes; those of a binary file mapped."""

    path: str
    kind: Kind
    content: bytes | MappedFile


def open_input(path: StrPath, *wanted: Kind) -> OpenedFile:
    """Open a file that must be of one of the kinds wanted.

    Raises: ParseError, when it cannot be read or is of another kind, with a line that says what the file is instead,
    and what can be done about it.
    """
    with open_file(path) as file:
        head = read_rest(file, _HEAD)
        mapped = map_file(file) if _is_hdf5(head) else None
        kind = _kind_of(os.fspath(path), head, mapped)
        if kind not in wanted:
            expected = " or ".join(_EXPECTED.get(each, each.value) for each in wanted)
            raise ParseError(f"{os.fspath(path)} is {kind.value}; {expected} was expected here")
        content = head + read_rest(file) if kind is Kind.PROTOTXT else mapped or map_file(file)
    return OpenedFile(os.fspath(path), kind, content)


def detect_kind(path: StrPath) -> Kind:
    """Tell the kind of a file by its content. Raises: ParseError, when it cannot be read."""
    with open_file(path) as file:
        head = read_rest(file, _HEAD)
        return _kind_of(os.fspath(path), head, map_file(file) if _is_hdf5(head) else None)


def _is_hdf5(head: bytes) -> bool:
    return any(head.startswith(_HDF5_MAGIC, offset) for offset in _HDF5_OFFSETS)


def _kind_of(path: str, head: bytes, mapped: MappedFile | None) -> Kind:
    """The kind of a file that begins with `head`; one in HDF5 is `mapped`."""
    if mapped is None:
        return _kind_of_head(head)
    from caffeconv.reading.snapshots import detect_maker  # only an HDF5 file is worth the import of h5py

    return _HDF5_KINDS[detect_maker(path, mapped)]


def _kind_of_head(head: bytes) -> Kind:
    if not head:
        return Kind.EMPTY
    for magic, kind in _MAGICS:
        if head.startswith(magic):
            return kind
    if head.startswith(_TAR_MAGIC, _TAR_OFFSET):
        return Kind.TAR
    if not _NOT_TEXT.search(head):
        return _text_kind(head.removeprefix(codecs.BOM_UTF8))
    if _holds(_is_net, head):
        return Kind.CAFFEMODEL
    if _holds(_is_blob, head):
        return Kind.BINARYPROTO
    return Kind.SOLVER_STATE if _holds(_is_state, head) else Kind.UNKNOWN


def _holds(test: Callable[[bytes], bool], head: bytes) -> bool:
    try:
        return test(head)
    except Damage:
        return False


def _text_kind(text: bytes) -> Kind:
    for pattern, kind in _TEXTS:
        if pattern.match(text):
            return kind
    fields = _COMMENT.sub(b"", text)
    return Kind.PROTOTXT if not fields.strip() or _PROTOTXT_FIELD.search(fields) else Kind.TEXT


def _is_net(head: bytes) -> bool:
    """The first layer decides; a file without layers must be a well-formed net to its end."""
    known = False
    for tag, _, start, end, _ in walk_fields(head, 0, len(head)):
        if tag in _LAYERS_OF_A_NET:
            return _agrees(head[start:end], _LAYERS_OF_A_NET[tag])
        if _FIELDS_OF_A_NET.get(tag >> 3, tag & 7) != tag & 7:
            return False
        known = known or tag >> 3 in _FIELDS_OF_A_NET
    return known and len(head) < _HEAD


def _agrees(layer: bytes, wires: dict[int, int]) -> bool:
    """Whether the fields of a layer, perhaps cut short, have the wire types that they should have."""
    try:
        return all(wires.get(tag >> 3, tag & 7) == tag & 7 for tag, *_ in walk_fields(layer, 0, len(layer)))
    except Cut:
        return True


def _is_blob(head: bytes) -> bool:
    """Dimensions, then data."""
    tags = (tag for tag, *_ in walk_fields(head, 0, len(head)))
    first_other = next((tag for tag in tags if _DIMS_OF_A_BLOB.get(tag >> 3) != tag & 7), 0)
    return first_other in _DATA_OF_A_BLOB


def _is_state(head: bytes) -> bool:
    """The iteration, then the name of the caffemodel that was written with it."""
    fields = walk_fields(head, 0, len(head))
    iteration, _, _, _, _ = next(fields)
    model, _, start, end, _ = next(fields, (0, 0, 0, 0, 0))
    return iteration == 1 << 3 | VARINT and model == 2 << 3 | LENGTH and b".caffemodel" in head[start:end]
