"""The walk NetParameter → layer or layers → blobs over a mapped file."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Final, TypeAlias

from google.protobuf.message import DecodeError, Message

from caffe_proto.caffe_pb2 import BlobProto, LayerParameter, NetParameter, V0LayerParameter, V1LayerParameter
from caffeconv.errors import ParseError
from caffeconv.model import Blob, Note
from caffeconv.reading.wire.blobs import read_blob
from caffeconv.reading.wire.format import LENGTH, VARINT, Damage, WireField, as_utf8, encode_varint, walk_fields
from caffeconv.reading.wire.forms import (
    CAFFE_V1_NUMBERS,
    NET_FIELDS,
    TYPE_WORD_NUMBER,
    V0,
    V1,
    V2,
    LayerForm,
    descriptor_of,
    encode_field,
    recode,
    strings_of,
)

if TYPE_CHECKING:
    import mmap

    from google.protobuf.descriptor import Descriptor

__all__ = ["Reader", "read_caffemodel"]

_AnyLayer: TypeAlias = LayerParameter | V1LayerParameter | V0LayerParameter
_Part: TypeAlias = tuple[int, bytes]
"""Number and bytes (tag included) of one field for the bindings."""

_LAYER: Final = 100 << 3 | LENGTH
_LAYERS: Final = 2 << 3 | LENGTH
_V0_LAYER: Final = 1 << 3 | LENGTH
_V1_TYPE: Final = V1.type << 3 | VARINT
_PAYLOAD: Final = encode_varint(BlobProto.DESCRIPTOR.fields_by_name["payload"].number << 3 | VARINT)


def read_caffemodel(path: str, mapped: mmap.mmap) -> tuple[NetParameter, tuple[Blob, ...], tuple[Note, ...]]:
    """Read a binary caffemodel of any generation (V0, V1, V2), as stored: nothing is upgraded.

    `path` is for messages; `mapped` are the bytes of the file, which must not shrink meanwhile. Each BlobProto of the
    message returned has only its own field `payload` set: the index of its values in the tuple of blobs. Blobs have
    the type the file stores (float16, 32 or 64, or integers), and live as long as the mapping, which the arrays keep
    alive. Notes name fields of forks that were left out.

    Raises: ParseError, when the file is cut short or damaged.
    """
    reader = Reader(path, mapped)
    net = reader.read()
    return net, tuple(reader.blobs), tuple(reader.notes)


class Reader:
    """Reads one file, and holds where it is, so that every error can say so."""

    def __init__(self, path: str, buffer: mmap.mmap) -> None:
        self._path = path
        self._buffer = buffer
        self._layers = 0
        self._name = ""
        self._inside = False
        self._blob: int | None = None
        self.blobs: list[Blob] = []
        self.notes: list[Note] = []

    def read(self) -> NetParameter:
        """The net as stored; each BlobProto in it holds nothing but the index of its blob in `blobs`.

        Raises: ParseError.
        """
        net = NetParameter()
        parts: list[_Part] = []
        try:
            for field in walk_fields(self._buffer, 0, len(self._buffer)):
                tag, _, start, end, length = field
                if tag in (_LAYER, _LAYERS):
                    self._layers += 1
                    self._name, self._inside = "", True
                    if tag == _LAYER:
                        self._read_layer(net.layer.add(), V2, start, end)
                    else:
                        self._read_layer(net.layers.add(), V1, start, end)
                    self._inside = end - start < length
                elif tag >> 3 in NET_FIELDS:
                    parts.append(self._part(field, descriptor_of(NetParameter)))
        except Damage as damage:
            raise ParseError(f"{self._path}: {self._where()}: {damage}") from None
        self._name = ""
        self._merge(net, parts)
        return net

    def _where(self) -> str:
        if not self._layers:
            return "before the first layer"
        layer = f"layer {self._name!r}" if self._name else f"layer {self._layers - 1} (no name)"
        if not self._inside:
            return f"after {layer}"
        return layer if self._blob is None else f"{layer} blob {self._blob}"

    def _read_layer(self, message: _AnyLayer, form: LayerForm, start: int, end: int) -> None:
        """Fill `message` with what may go through of the layer at `start`, and read its blobs."""
        parts: list[_Part] = []
        own: list[WireField] = []
        word = ""
        blobs = 0
        odd: list[str] = []
        blobs_tag = form.blobs << 3 | LENGTH
        for field in walk_fields(self._buffer, start, end):
            tag, _, first, last, value = field
            number = tag >> 3
            if tag == blobs_tag:
                parts.append((number, encode_field(number, _PAYLOAD + encode_varint(len(self.blobs)))))
                self._blob = blobs
                if last - first < value:
                    collections.deque(walk_fields(self._buffer, first, last), maxlen=0)
                    continue
                remarks: list[str] = []
                self.blobs.append(read_blob(self._buffer, first, last, remarks))
                odd += [f"blob {blobs} {remark}" for remark in remarks]
                self._blob = None
                blobs += 1
            elif tag == _V0_LAYER and isinstance(message, V1LayerParameter):
                self._read_layer(message.layer, V0, first, last)
            elif form is V1 and tag == _V1_TYPE and value not in CAFFE_V1_NUMBERS:
                parts.append((TYPE_WORD_NUMBER, encode_field(TYPE_WORD_NUMBER, str(value).encode())))
            elif number in form.always:
                parts.append(self._part(field, form.descriptor))
                if number == form.name and tag & 7 == LENGTH:
                    self._name = as_utf8(self._buffer[first:last]).decode()
                elif number == form.type and tag & 7 == LENGTH:
                    word = as_utf8(self._buffer[first:last]).decode()
            elif number in form.any_own:
                own.append(field)
        wanted = form.own.get(word, frozenset())
        parts += [self._part(field, form.descriptor) for field in own if field[0] >> 3 in wanted]
        self._merge(message, parts)
        self.notes += [Note("warning", self._name or None, text) for text in odd]

    def _part(self, field: WireField, descriptor: Descriptor) -> _Part:
        """A field for the bindings; strings that are not UTF-8, which they could not hand out, are made so."""
        tag, begin, start, end, _ = field
        number = tag >> 3
        part = self._buffer[begin:end]
        if tag & 7 != LENGTH or part.isascii() or number not in (strings := strings_of(descriptor)):
            return number, part
        payload = self._buffer[start:end]
        inner = strings[number]
        try:
            return number, encode_field(number, as_utf8(payload) if inner is None else recode(payload, inner))
        except Damage:
            self._note_dropped(descriptor, number)
            return number, b""

    def _merge(self, message: Message, parts: list[_Part]) -> None:
        """Parse the parts into `message`; a part that the bindings refuse is dropped and noted."""
        message_type = type(message)
        whole = b"".join([part for _, part in parts])
        if _parses(message_type, whole):
            message.MergeFromString(whole)
            return
        for number, part in parts:
            if _parses(message_type, part):
                message.MergeFromString(part)
            else:
                self._note_dropped(descriptor_of(message_type), number)

    def _note_dropped(self, descriptor: Descriptor, number: int) -> None:
        name = descriptor.fields_by_number[number].name
        text = f"{name} (field {number}) is not what Caffe stores there and was left out"
        self.notes.append(Note("warning", self._name or None, text))


def _parses(message_type: type[Message], part: bytes) -> bool:
    try:
        message_type().MergeFromString(part)
    except DecodeError:
        return False
    return True
