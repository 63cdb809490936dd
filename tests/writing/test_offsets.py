"""Bytes at offsets of a real file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from caffeconv.writing.offsets import writes_at

if TYPE_CHECKING:
    from pathlib import Path


def test_writes_at_offsets_of_a_file(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb+", buffering=0) as file:
        write_at = writes_at(file.fileno())
        write_at(4, memoryview(b"efgh"))
        write_at(0, memoryview(b"abcd"))
        write_at(2, memoryview(b""))
    assert (tmp_path / "file").read_bytes() == b"abcdefgh"
