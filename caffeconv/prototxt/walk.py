"""A walk over the tokens of a net that takes out what protobuf's own parser cannot be told to pass over.

The walk knows the schema. It checks the syntax and every value, so that errors name file, line and column; it finds
what Caffe's schema does not have (fields, words and numbers of enums) and lists the edits that make the text readable:
lines and columns of all that stays are kept as far as that is possible.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Literal

from google.protobuf.descriptor import FieldDescriptor

from caffe_proto import caffe_pb2
from caffeconv.prototxt.fields import Field, fields_of
from caffeconv.prototxt.scalars import integer, problem_with
from caffeconv.prototxt.tokens import Source, Token, quote, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Finding", "Walk"]

_CLOSING = {"{": "}", "<": ">", "[": "]"}
_LAYER_FIELDS = frozenset({"layer", "layers"})
_LAYER_PATHS = (("layer",), ("layers",), ("layers", "layer"))
_V1_TYPE = caffe_pb2.V1LayerParameter.DESCRIPTOR.fields_by_name["type"].full_name
_V2_TYPE = caffe_pb2.LayerParameter.DESCRIPTOR.fields_by_name["type"].full_name


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


def _shown(token: Token) -> str:
    if token.kind == "end":
        return "the end of the file"
    return "a string that is not closed on its line" if token.text in ('"', "'") else quote(token.text)


class Walk:
    """The walk over one text; it is done when the object is made.

    `findings` is what was found, `layer_names` the names of the layers in their order, `unknown` the fields outside of
    any layer that the schema does not have, with their values as written (a block: its bracket).

    Raises:
        ParseError: the text breaks the syntax, or a field has a value that it cannot have.
    """

    def __init__(self, source: Source) -> None:
        self.findings: list[Finding] = []
        self.layer_names: list[str] = []
        self.unknown: dict[str, str] = {}
        self._edits: list[tuple[int, int, str | None]] = []
        self._source = source
        self._tokens = tokenize(source)
        self._position = 0
        self._message(caffe_pb2.NetParameter.DESCRIPTOR.full_name, None, ())

    def readable_text(self) -> str:
        """The text without what the schema does not have."""
        return "".join(self._pieces())

    def _pieces(self) -> Iterator[str]:
        text, position = self._source.text, 0
        for start, end, replacement in self._edits:
            yield text[position:start]
            yield re.sub(r"[^\n]", " ", text[start:end]) if replacement is None else replacement
            position = end
        yield text[position:]

    def _peek(self) -> Token:
        return self._tokens[self._position]

    def _take(self) -> Token:
        token = self._tokens[self._position]
        if token.kind != "end":
            self._position += 1
        return token

    def _take_mark(self, marks: str) -> Token | None:
        token = self._peek()
        return self._take() if token.kind == "mark" and token.text in marks else None

    def _find(self, level: Literal["info", "warning"], place: Token, path: tuple[str, ...], text: str) -> None:
        layer = len(self.layer_names) - 1 if _in_layer(path) else None
        self.findings.append(Finding(level, layer, self._source.line(place.start), text))

    def _message(self, message: str, opening: Token | None, path: tuple[str, ...]) -> None:
        """The fields of a message to its end. Messages nest as deep as the schema does, so this recursion ends."""
        fields = fields_of(message)
        seen: dict[str, Token] = {}
        while not self._closed(opening, path):
            name = self._take()
            if name.kind != "name" and name.text != "[":
                raise self._source.error(name.start, f"expected the name of a field, got {_shown(name)}")
            field = fields.get(name.text)
            if field is None:
                self._unknown_field(name, path)
                continue
            if not field.repeated and seen.setdefault(field.name, name) is not name:
                first = self._source.line(seen[field.name].start)
                raise self._source.error(name.start, f'"{field.name}" is given twice, first on line {first}')
            if field.message is not None:
                self._messages(field, field.message, path)
            else:
                self._scalars(field, name, path)
            self._take_mark(",;")

    def _closed(self, opening: Token | None, path: tuple[str, ...]) -> bool:
        if opening is None:
            return self._peek().kind == "end"
        if self._peek().kind == "end":
            raise self._source.error(opening.start, f'this bracket of "{path[-1]}" is never closed')
        return self._take_mark(_CLOSING[opening.text]) is not None

    def _messages(self, field: Field, message: str, path: tuple[str, ...]) -> None:
        self._take_mark(":")
        opening = self._peek()
        if opening.text == "[" and field.repeated:
            for _ in self._list_items():
                self._one_message(field, message, path)
        else:
            self._one_message(field, message, path)

    def _one_message(self, field: Field, message: str, path: tuple[str, ...]) -> None:
        opening = self._take()
        if opening.kind != "mark" or opening.text not in "{<":
            raise self._source.error(opening.start, f'expected "{{" after "{field.name}", got {_shown(opening)}')
        if not path and field.name in _LAYER_FIELDS:
            self.layer_names.append("")
        self._message(message, opening, (*path, field.name))

    def _list_items(self) -> Iterator[None]:
        """Step through `[a, b]`; the caller takes an item at each step."""
        self._take()
        if self._take_mark("]"):
            return
        while True:
            yield
            mark = self._take()
            if mark.text == "]":
                return
            if mark.text != ",":
                raise self._source.error(mark.start, f'expected "," or "]" in a list, got {_shown(mark)}')

    def _scalars(self, field: Field, name: Token, path: tuple[str, ...]) -> None:
        """A field with one value or a list of them."""
        if self._take_mark(":") is None:
            token = self._peek()
            raise self._source.error(token.start, f'expected ":" after "{name.text}", got {_shown(token)}')
        if self._peek().text != "[":
            values = [self._scalar(field)]
        elif field.repeated:
            values = [self._scalar(field) for _ in self._list_items()]
        else:
            self._skip_brackets(self._take())
            self._find("warning", name, path, f"{_dotted(path, field.name)} takes one value, the list is skipped")
            self._replace(name, None)
            return
        self._settle_values(field, name, values, path)

    def _settle_values(self, field: Field, name: Token, values: list[Token], path: tuple[str, ...]) -> None:
        """Keep, rewrite or pass over a field whose values are well written."""
        unknown = next((value for value in values if field.words and not self._is_known(field, value)), None)
        if field.full_name == _V1_TYPE and unknown is not None:
            self._find("info", name, path, f"type {quote(unknown.text)} is none of Caffe's words for a layer in layers")
            self._keep_type_word(name, unknown)
        elif unknown is not None:
            where = _dotted(path, field.name)
            self._find("warning", name, path, f"unknown value {quote(unknown.text)} of {where} skipped")
            self._replace(name, None)
        elif path in _LAYER_PATHS and field.name == "name":
            self.layer_names[-1] = values[0].text[1:-1]
        elif field.full_name == _V2_TYPE and values[0].kind == "name":
            self._find("info", name, path, f"type {values[0].text} has no quotation marks, which Caffe wants")
            self._replace(name, f'type: "{values[0].text}"')

    def _scalar(self, field: Field) -> Token:
        """One value of a field; of adjacent strings, the first."""
        value = self._take()
        if value.kind not in ("name", "number", "string"):
            raise self._source.error(value.start, f'expected a value of "{field.name}", got {_shown(value)}')
        bare_type = field.full_name == _V2_TYPE and value.kind == "name"
        part: Token | None = value
        while part is not None:
            problem = None if field.words or bare_type else problem_with(part, field.cpp_type)
            if field.words and part.kind == "string" and field.full_name != _V1_TYPE:
                problem = f"expected a word without quotation marks, got {quote(part.text)}"
            if problem is not None:
                raise self._source.error(part.start, f"{field.name}: {problem}")
            part = self._take() if value.kind == "string" and self._peek().kind == "string" else None
        return value

    def _is_known(self, field: Field, value: Token) -> bool:
        if value.kind == "number":
            return problem_with(value, FieldDescriptor.CPPTYPE_INT32) is None and integer(value.text) in field.numbers
        return value.text in field.words

    def _unknown_field(self, name: Token, path: tuple[str, ...]) -> None:
        """Pass over a field that the schema does not have, whatever its value."""
        if name.text == "[":
            self._skip_brackets(name)
        colon = self._take_mark(":")
        opening = self._take_mark("{<[")
        if opening is not None:
            if path and name.text in _LAYER_FIELDS:
                raise self._source.error(
                    name.start, f'"{name.text}" inside of "{path[-1]}": is a bracket missing above?'
                )
            self._skip_brackets(opening)
            self._remember_unknown(name, opening, path)
        elif colon is None:
            token = self._peek()
            raise self._source.error(token.start, f'expected ":" or "{{" after "{name.text}", got {_shown(token)}')
        else:
            self._remember_unknown(name, self._skip_scalar(name), path)
        self._take_mark(",;")
        shown = name.text if name.text != "[" else "[...]"
        self._find("warning", name, path, f'unknown field "{_dotted(path, shown)}" skipped')
        self._replace(name, None)

    def _remember_unknown(self, name: Token, value: Token, path: tuple[str, ...]) -> None:
        if not path:
            self.unknown.setdefault(name.text, value.text)

    def _skip_scalar(self, name: Token) -> Token:
        value = self._take()
        if value.kind not in ("name", "number", "string"):
            raise self._source.error(value.start, f'expected a value of "{name.text}", got {_shown(value)}')
        while value.kind == "string" and self._peek().kind == "string":
            self._take()
        return value

    def _skip_brackets(self, opening: Token) -> None:
        """Go behind the bracket that closes `opening`; a loop, since unknown blocks nest as deep as they like."""
        stack = [opening]
        while stack:
            token = self._take()
            if token.kind == "end":
                raise self._source.error(stack[-1].start, "this bracket is never closed")
            if token.kind != "mark":
                continue
            if token.text in _CLOSING:
                stack.append(token)
            elif token.text in _CLOSING.values():
                opened = stack.pop()
                if _CLOSING[opened.text] != token.text:
                    line = self._source.line(opened.start)
                    problem = f'"{token.text}" does not close the "{opened.text}" of line {line}'
                    raise self._source.error(token.start, problem)

    def _keep_type_word(self, name: Token, word: Token) -> None:
        """Hand on the type of a `layers` block that is none of the schema's words."""
        if word.kind == "string":
            self._edits.append((name.start, name.end, "type_word"))
        else:
            self._replace(name, f'type_word: "{word.text}"')

    def _replace(self, name: Token, replacement: str | None) -> None:
        """Replace, or blank, all from `name` to the last token taken."""
        self._edits.append((name.start, self._tokens[self._position - 1].end, replacement))
