"""The one walk over the tokens of a net, which makes protobuf's wire format of them as it goes.

The walk knows the schema. It checks the syntax and every value, so that errors name file, line and column; what
Caffe's schema does not have (fields, words and numbers of enums) is passed over and listed. Bytes are quicker made than
messages filled field by field, and the bindings parse them in one go.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from typing import TYPE_CHECKING, Literal, TypeAlias

from google.protobuf.descriptor import FieldDescriptor

from caffe_proto import caffe_pb2
from caffeconv.reading.prototxt.fields import TYPE_WORD, Field, fields_of
from caffeconv.reading.prototxt.scalars import WrongValue, encode_bytes, encode_number, unescape
from caffeconv.reading.prototxt.tokens import SourceText, kind_of, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from caffeconv.errors import ParseError

__all__ = ["Finding", "Walk"]

_Given: TypeAlias = tuple[int, bytes, bytes]
"""Where a field is given, its tag, and a value of it."""

_CLOSING = {"{": "}", "<": ">", "[": "]"}
_CLOSERS = frozenset(_CLOSING.values())
_SEPARATORS = (",", ";")
_LAYER_FIELDS = frozenset({"layer", "layers"})
_VALUES = frozenset({"name", "number", "string"})
_KEPT_NUMBERS = 4096


@dataclasses.dataclass(frozen=True)
class Finding:
    """Something to be told: `text` is the same wherever the same thing is found; `layer` counts layers from 0."""

    level: Literal["info", "warning"]
    layer: int | None
    line: int
    text: str


def _in_layer(path: tuple[str, ...]) -> bool:
    return bool(path) and path[0] in _LAYER_FIELDS


def _dotted(path: tuple[str, ...], name: str) -> str:
    """Where a field stands, as seen from its layer."""
    return ".".join((*(path[1:] if _in_layer(path) else path), name))


class Walk:
    """The walk over one text; it is done when the object is made.

    `message` is the net in protobuf's wire format, `findings` what was found, `layer_names` the names of the layers in
    their order, `unknown` the fields outside of any layer that the schema does not have, with their values as written
    (a block: its bracket).

    Raises:
        ParseError: the text breaks the syntax, or a field has a value that it cannot have.
    """

    def __init__(self, source: SourceText) -> None:
        self.findings: list[Finding] = []
        self.layer_names: list[str] = []
        self.unknown: dict[str, str] = {}
        self._source = source
        self._tokens = source.tokens
        self._at = 0
        self._number = functools.lru_cache(_KEPT_NUMBERS)(encode_number)
        self.message = self._message(caffe_pb2.NetParameter.DESCRIPTOR.full_name, None, ())

    def _take(self) -> int:
        """Step over a token, but never over the end."""
        at = self._at
        if self._tokens[at]:
            self._at += 1
        return at

    def _find(self, level: Literal["info", "warning"], at: int, path: tuple[str, ...], text: str) -> None:
        layer = len(self.layer_names) - 1 if _in_layer(path) else None
        self.findings.append(Finding(level, layer, self._source.line(at), text))

    def _message(self, message: str, opening: int | None, path: tuple[str, ...]) -> bytes:
        """The fields of a message to its end. Messages nest as deep as the schema does, so this recursion ends."""
        tokens, fields = self._tokens, fields_of(message)
        closing = "" if opening is None else _CLOSING[tokens[opening]]
        given: dict[Field, list[_Given]] = {}
        parts: list[bytes] = []
        while (name := tokens[self._at]) != closing:
            at = self._at
            field = fields.get(name)
            if field is None:
                self._unknown_field(opening, path)
                continue
            self._at += 1
            new = parts if field.repeated else []
            if field.message is not None:
                self._messages(field, field.message, path, new)
            else:
                self._scalars(field, path, new)
            if not field.repeated:
                given.setdefault(field, []).extend((at, new[i], new[i + 1]) for i in range(0, len(new), 2))
            if tokens[self._at] in _SEPARATORS:
                self._at += 1
        self._take()
        settled = {
            field.name: values if len(values) < 2 else self._settled(field, fields, path, values)
            for field, values in given.items()
        }
        if not all(settled[field.name] for field in given if field.axes and given[field]):
            settled.pop("kernel_size", None)  # a window with any other stride or padding would be a wrong one
        for values in settled.values():
            for _, tag, value in values:
                parts += tag, value
        return b"".join(parts)

    def _settled(
        self, field: Field, fields: Mapping[str, Field], path: tuple[str, ...], values: list[_Given]
    ) -> list[_Given]:
        """What a field that takes one value comes to where it has several, as forks write; it is told.

        Raises: ParseError, where the values are not the same, and what they are to mean is not certain.
        """
        (first, *_), (at, *_), where = values[0], values[1], _dotted(path, field.name)
        several = f"{where} has several values, as only forks allow"
        if len({value[1:] for value in values}) == 1:
            self._find("info", at, path, f"{several}; they are the same")
        elif field.idle:
            self._find("info", at, path, f"{several}: the last counts, if it is needed at all")
        elif field.axes and len(values) == len(field.axes):
            self._find("info", at, path, f"{several}: they are taken for {' and '.join(field.axes)}")
            return [(at, fields[axis].tag, value) for axis, (_, _, value) in zip(field.axes, values, strict=True)]
        elif field.axes:
            text = f"{several}, for {len(values)} axes: the window is left open, since Caffe's pooling has two"
            self._find("warning", at, path, text)
            return []
        else:
            again = "" if first == at else f", first on line {self._source.line(first)}"
            problem = f'"{field.name}" is given twice{again}, and its values are not the same: leave one out'
            raise self._source.error(at, problem)
        return values[-1:]

    def _messages(self, field: Field, message: str, path: tuple[str, ...], parts: list[bytes]) -> None:
        if self._tokens[self._at] == ":":
            self._at += 1
        if self._tokens[self._at] == "[" and field.repeated:
            for _ in self._list_items():
                parts += field.tag, encode_bytes(self._one_message(field, message, path))
        else:
            parts += field.tag, encode_bytes(self._one_message(field, message, path))

    def _one_message(self, field: Field, message: str, path: tuple[str, ...]) -> bytes:
        opening = self._take()
        if self._tokens[opening] not in ("{", "<"):
            raise self._source.error(opening, f'expected "{{" after "{field.name}", got {self._source.shown(opening)}')
        if not path and field.name in _LAYER_FIELDS:
            self.layer_names.append("")
        return self._message(message, opening, (*path, field.name))

    def _list_items(self) -> Iterator[int]:
        """Step through `[a, b]` and yield where each item begins; the caller takes it."""
        self._take()
        if self._tokens[self._at] == "]":
            self._at += 1
            return
        while True:
            yield self._at
            mark = self._take()
            if self._tokens[mark] == "]":
                return
            if self._tokens[mark] != ",":
                raise self._source.error(mark, f'expected "," or "]" in a list, got {self._source.shown(mark)}')

    def _scalars(self, field: Field, path: tuple[str, ...], parts: list[bytes]) -> None:
        """What follows the name of a field with one value or a list of them, into `parts`."""
        name, colon, first = self._at - 1, self._at, self._at + 1
        if self._tokens[colon] != ":":
            raise self._source.error(colon, f'expected ":" after "{field.name}", got {self._source.shown(colon)}')
        self._at = first
        if self._tokens[first] != "[":
            values = {first: self._value(field)}
        else:
            values = {at: self._value(field) for at in self._list_items()}
        if not field.repeated and not values:
            self._find("warning", name, path, f"{_dotted(path, field.name)} takes one value, the empty list is skipped")
        if b"" in values.values():
            unknown = next(at for at, value in values.items() if not value)
            self._pass_over_value(field, name, unknown, path, parts)
            return
        for value in values.values():
            parts += field.tag, value
        if field.role == "name of a layer":
            self.layer_names[-1] = self._tokens[first][1:-1]
        elif field.role == "type" and kind_of(self._tokens[first]) == "name":
            self._find("info", name, path, f"type {self._tokens[first]} has no quotation marks, which Caffe wants")

    def _pass_over_value(
        self, field: Field, name: int, unknown: int, path: tuple[str, ...], parts: list[bytes]
    ) -> None:
        """Tell of a field with an unknown value; that of a `layers` block's type is handed on to the upgrade."""
        word = self._tokens[unknown]
        if field.role == "V1 type":
            what = "is none of Caffe's words for a layer in layers"
            if kind_of(word) == "string":
                what = "has quotation marks, which Caffe refuses in layers"
            self._find("info", name, path, f"type {quote(word)} {what}")
            self._at = unknown
            parts += TYPE_WORD.tag, self._bare_or_string(field)
        else:
            where = _dotted(path, field.name)
            self._find("warning", name, path, f"unknown value {quote(word)} of {where} skipped")

    def _value(self, field: Field) -> bytes:
        """The bytes of one value without its tag; none at all for an unknown value of an enum."""
        if field.words:
            return self._enum(field)
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            return self._bare_or_string(field) if field.role == "type" else self._string(field)
        try:
            value = self._number(self._tokens[self._at], field.cpp_type)
        except WrongValue as wrong:
            raise self._wrong_value(field, str(wrong)) from None
        self._at += 1
        return value

    def _wrong_value(self, field: Field, problem: str) -> ParseError:
        if kind_of(self._tokens[self._at]) not in _VALUES:
            return self._source.error(
                self._at, f'expected a value of "{field.name}", got {self._source.shown(self._at)}'
            )
        return self._source.error(self._at, f"{field.name}: {problem}")

    def _enum(self, field: Field) -> bytes:
        token = self._tokens[self._at]
        known = field.words.get(token, b"")
        kind = kind_of(token)
        if kind == "string" and field.role == "V1 type":
            self._string(field)
            return b""
        if kind not in ("name", "number"):
            raise self._wrong_value(field, f"expected a word without quotation marks, got {quote(token)}")
        if kind == "number":
            with contextlib.suppress(WrongValue):
                number = encode_number(token, field.cpp_type)
                known = number if number in field.numbers else b""
        self._at += 1
        return known

    def _bare_or_string(self, field: Field) -> bytes:
        """The type of a layer, which may be a word or number without quotation marks."""
        token = self._tokens[self._at]
        if kind_of(token) == "name" or (kind_of(token) == "number" and field.role == "V1 type"):
            self._at += 1
            return encode_bytes(token.encode())
        return self._string(field)

    def _string(self, field: Field) -> bytes:
        """A string, or several in a row that make one."""
        parts: list[bytes] = []
        while not parts or kind_of(self._tokens[self._at]) == "string":
            try:
                parts.append(unescape(self._tokens[self._at]))
            except WrongValue as wrong:
                raise self._wrong_value(field, str(wrong)) from None
            self._at += 1
        text = b"".join(parts)
        try:
            text.decode()
        except UnicodeDecodeError as error:
            problem = f"{field.name}: the string that ends here is not utf-8, {error.reason}"
            raise self._source.error(self._at, problem) from None
        return encode_bytes(text)

    def _unknown_field(self, opening: int | None, path: tuple[str, ...]) -> None:
        """Pass over a field that the schema does not have, whatever its value."""
        tokens, at = self._tokens, self._take()
        name = tokens[at]
        if not name and opening is not None:
            raise self._source.error(opening, f'this bracket of "{path[-1]}" is never closed')
        if name != "[" and kind_of(name) != "name":
            raise self._source.error(at, f"expected the name of a field, got {self._source.shown(at)}")
        if name == "[":
            self._skip_brackets(at)
        colon = tokens[self._at] == ":"
        if colon:
            self._at += 1
        value = self._at
        if tokens[value] in _CLOSING:
            if path and name in _LAYER_FIELDS:
                raise self._source.error(at, f'"{name}" inside of "{path[-1]}": is a bracket missing above?')
            self._skip_brackets(self._take())
        elif not colon:
            raise self._source.error(value, f'expected ":" or "{{" after "{name}", got {self._source.shown(value)}')
        else:
            self._skip_scalar(name)
        if not path:
            self.unknown.setdefault(name, tokens[value])
        if tokens[self._at] in _SEPARATORS:
            self._at += 1
        shown = name if name != "[" else "[...]"
        self._find("warning", at, path, f'unknown field "{_dotted(path, shown)}" skipped')

    def _skip_scalar(self, name: str) -> None:
        value = self._take()
        kind = kind_of(self._tokens[value])
        if kind not in _VALUES:
            raise self._source.error(value, f'expected a value of "{name}", got {self._source.shown(value)}')
        while kind == "string" and kind_of(self._tokens[self._at]) == "string":
            self._at += 1

    def _skip_brackets(self, opening: int) -> None:
        """Go behind the bracket that closes `opening`; a loop, since unknown blocks nest as deep as they like."""
        stack = [opening]
        while stack:
            at = self._take()
            token = self._tokens[at]
            if not token:
                raise self._source.error(stack[-1], "this bracket is never closed")
            if token in _CLOSING:
                stack.append(at)
            elif token in _CLOSERS:
                opened = stack.pop()
                bracket = self._tokens[opened]
                if _CLOSING[bracket] != token:
                    problem = f'"{token}" does not close the "{bracket}" of line {self._source.line(opened)}'
                    raise self._source.error(at, problem)
