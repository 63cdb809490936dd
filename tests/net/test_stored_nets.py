"""Nets inside of files of weights, which may tell less, or other things, than their arrays need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from caffeconv.catalogue import LAYER_TYPES
from caffeconv.keras.conversion import convert
from caffeconv.net.loading import list_files, load_net
from tests.support import wire_writer as write
from tests.support.net_builder import values, write_caffemodel

if TYPE_CHECKING:
    from pathlib import Path


class TestFilesThatTellLittle:
    """Whatever can be walked can be listed, and converted with the net inside."""

    @pytest.mark.parametrize("kind", sorted(LAYER_TYPES))
    @pytest.mark.parametrize(
        "shapes", [[(4,)], [(4, 3, 2, 2), (4,)], [(5, 7)], [(2, 3), (1,), (2,), (3,), (6,)]], ids=str
    )
    def test_any_arrays_under_any_type(self, kind: str, shapes: list[tuple[int, ...]], tmp_path: Path) -> None:
        text = f'layer {{ name: "a" type: "{kind}" }}'
        path = write_caffemodel(tmp_path / "c", [("a", [values(*shape) for shape in shapes])], text)
        listed = list_files([path]).net.layers[0]
        assert [blob.shape for blob in listed.blobs] == shapes
        assert listed.type in (kind, f"{kind}?")
        (layer,) = convert(load_net("-", path)).layers
        assert layer.weights

    @pytest.mark.parametrize("number", range(60))
    def test_any_number_of_a_type_of_2014(self, number: int, tmp_path: Path) -> None:
        body = write.chunk(4, "a") + write.number(5, number) + write.chunk(6, write.blob(4, 3, 2, 2, 2))
        path = tmp_path / "c"
        path.write_bytes(write.chunk(2, body))
        assert [blob.shape for blob in list_files([path]).net.layers[0].blobs] == [(4, 3, 2, 2, 2)]
        assert load_net("-", path).layers[0].blobs

    def test_a_type_that_its_arrays_do_not_have_is_told(self, tmp_path: Path) -> None:
        path = write_caffemodel(tmp_path / "c", [("a", [values(3)])], 'layer { name: "a" type: "Slice" }')
        (note,) = (note for note in load_net("-", path).notes if note.level == "warning")
        assert str(note).startswith("a: its arrays are not those of the Slice that the file says it is")
        assert note.level == "warning"
