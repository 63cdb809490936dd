"""The text of a net (a prototxt) as a `NetParameter`, read as tolerantly as its meaning is certain.

Fields that Caffe's schema does not have (parameters of forks) are passed over with a note, and so are unknown words and
numbers of enums. A type that no `layers` block of Caffe knows stays: it is handed on in `type_word`, for the upgrade.
A field that takes one value and has several, as forks write, is read where they are the same, where nothing depends on
them, or where they are those of height and width.
What real Caffe refuses and what has no certain meaning is refused here too: other values for one field, a
number out of range, a word where a number belongs, brackets that do not match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffe_proto import caffe_pb2
from caffeconv.errors import ParseError
from caffeconv.model import Note
from caffeconv.reading.kinds import foreign_text
from caffeconv.reading.prototxt.tokens import SourceText, decode, quote
from caffeconv.reading.prototxt.walk import Finding, Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["parse_prototxt"]

_SOLVER_FIELDS = frozenset(field.name for field in caffe_pb2.SolverParameter.DESCRIPTOR.fields)
_NETS_OF_A_SOLVER = (
    ("net", "its net is named by net: {}"),
    ("train_net", "its net is named by train_net: {}"),
    ("test_net", "its net is named by test_net: {}"),
    ("net_param", "its net is what stands inside of net_param, which can be saved as a file of its own"),
    ("train_net_param", "its net is what stands inside of train_net_param, which can be saved as a file of its own"),
)


def parse_prototxt(data: bytes, filename: str) -> tuple[caffe_pb2.NetParameter, tuple[Note, ...]]:
    """The net that the bytes of a prototxt describe, as written (no upgrade), and what was passed over in it.

    `filename` is for messages alone.

    Raises:
        ParseError: the bytes are not the text of a net; file, line and column are named.
    """
    source = SourceText(filename, decode(data, filename))
    try:
        walk = Walk(source)
    except ParseError as error:
        kind = foreign_text(source.text)
        if kind is None:
            raise
        raise ParseError(f"{filename}: this is {kind.value}; expected the text of a net (a prototxt)") from error
    net = caffe_pb2.NetParameter.FromString(walk.message)
    if not (net.layer or net.layers or net.input):
        raise ParseError(f"{filename}: {_why_no_net(walk)}")
    return net, tuple(_notes(walk))


def _why_no_net(walk: Walk) -> str:
    if not _SOLVER_FIELDS.intersection(walk.unknown):
        return "there is no layer in it; expected the text of a net (a prototxt)"
    return "this is a solver, not a net; " + next(
        (advice.format(quote(walk.unknown[field])) for field, advice in _NETS_OF_A_SOLVER if field in walk.unknown),
        "give the net that it trains",
    )


def _notes(walk: Walk) -> Iterator[Note]:
    """One note for all findings of the same text, in the order of the first of each."""
    alike: dict[str, list[Finding]] = {}
    for finding in walk.findings:
        alike.setdefault(finding.text, []).append(finding)
    for text, findings in alike.items():
        first = findings[0]
        more = f" (and {len(findings) - 1} more, the last on line {findings[-1].line})" if len(findings) > 1 else ""
        layer = walk.layer_names[first.layer] or None if first.layer is not None else None
        yield Note(first.level, layer, f"line {first.line}: {text}{more}")
