"""Every field of the live schema is in one set of its message, and those called used are."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from caffe_proto.caffe_pb2 import LayerParameter
from caffeconv.net.settings import ALL, SETTINGS, Settings
from tests.support.places import CHECKOUT

TELLING = {"settings", "catalogue", "remarks"}
"""Files that name fields without reading them."""
CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for path in sorted((CHECKOUT / "caffeconv").rglob("*.py"))
    if path.stem not in TELLING
)


def messages() -> dict[str, Any]:
    """Every message below LayerParameter, by name."""
    found: dict[str, Any] = {}
    left: list[Any] = [LayerParameter.DESCRIPTOR]
    while left:
        descriptor = left.pop()
        if found.setdefault(descriptor.name, descriptor) is descriptor:
            left += [
                field.message_type
                for field in descriptor.fields
                if field.message_type is not None and field.message_type.name not in found
            ]
        else:
            assert found[descriptor.name].full_name == descriptor.full_name, "two messages of one name"
    return found


MESSAGES = messages()
ROWS = [pytest.param(name, id=name) for name in sorted(MESSAGES)]


def placed(settings: Settings, fields: list[str]) -> list[str]:
    """The fields that the sets of a message name, as often as they do."""
    named: list[str] = []
    for words in (settings.used, settings.idle, settings.told):
        named += fields if words == ALL else words.split()
    return [*named, *settings.warned]


def test_every_message_has_a_row() -> None:
    assert set(SETTINGS) == set(MESSAGES)


@pytest.mark.parametrize("name", ROWS)
def test_every_field_is_in_one_set(name: str) -> None:
    fields = [field.name for field in MESSAGES[name].fields]
    assert Counter(placed(SETTINGS[name], fields)) == Counter(fields)


@pytest.mark.parametrize("name", ROWS)
def test_what_is_called_used_is_read(name: str) -> None:
    assert SETTINGS[name].used != ALL
    unread = [
        field for field in SETTINGS[name].used.split() if not re.search(rf"""\.{field}\b|["']{field}["']""", CODE)
    ]
    assert unread == []
