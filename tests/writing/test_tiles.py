"""The copy engine against NumPy's own copy, with limits so small that every cut happens."""

from __future__ import annotations

import contextlib
import functools
import mmap
import os
import subprocess
import sys
import tempfile
import threading
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from caffeconv.errors import ParseError
from caffeconv.writing import tiles

DTYPES = ["<f4", ">f4", "<f8", ">f8", "<f2", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "|b1"]
RANDOM = np.random.default_rng(5).integers(0, 256, 2**22, np.uint8)


@contextlib.contextmanager
def limits(slab: int, window: int, tile: int, small: int = 0) -> Any:
    with (
        mock.patch.multiple(tiles, _SMALL=small, _SLAB=slab, _RUN=max(1, slab // 4), _WINDOW=window),
        mock.patch.multiple(tiles, _TILE=8 * tile, _TILE_ROWS=max(1, tile // 4), _WORKERS=2, _READ=16),
    ):
        yield


class Mapping(mmap.mmap):
    """A mapping that says which file it is of."""

    descriptor: int


@functools.cache
def mapped(with_descriptor: bool) -> mmap.mmap:
    """The random bytes in a mapped file, which is never closed."""
    with tempfile.TemporaryFile() as file:
        file.write(RANDOM.tobytes())
        file.flush()
        mapping = (Mapping if with_descriptor else mmap.mmap)(file.fileno(), 0, access=mmap.ACCESS_READ)
        if isinstance(mapping, Mapping):
            mapping.descriptor = os.dup(file.fileno())
    return mapping


def copied(view: npt.NDArray[Any], gap: int = 0) -> bytes:
    """What the engine writes for a view that starts `gap` bytes into the output."""
    output = bytearray(gap + 4 * view.size)
    written = bytearray(len(output))

    def write_at(offset: int, data: memoryview) -> None:
        assert data.format == "B" and data.contiguous
        assert not any(written[offset : offset + len(data)]), "the same place is written twice"
        output[offset : offset + len(data)] = data
        written[offset : offset + len(data)] = b"\1" * len(data)

    tiles.copy_pieces([(view, gap)], write_at)
    assert len(output) == gap + 4 * view.size
    assert written == bytes(gap) + b"\1" * (4 * view.size)
    return bytes(output[gap:])


@st.composite
def views(draw: st.DrawFn) -> npt.NDArray[Any]:
    """Any axes order, steps forward, backward and of zero, any alignment and type; the bits are random."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(st.lists(st.integers(0, 9) | st.integers(1, 40), max_size=4).filter(lambda s: np.prod(s) <= 20000))
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, -1, -3, 0]), min_size=len(shape), max_size=len(shape)))
    stored = [max(1, abs(step)) * size if step else 1 for size, step in zip(shape, steps, strict=True)]
    order = draw(st.permutations(range(len(shape))))
    shift = draw(st.integers(0, 8))
    count = int(np.prod(stored)) * dtype.itemsize
    assume(shift + count <= len(RANDOM))
    if dtype.kind == "b":
        buffer: Any = (RANDOM % 2).data
    else:
        buffer = (RANDOM.data, mapped(False), mapped(True))[draw(st.integers(0, 2))]
    array = np.ndarray([stored[axis] for axis in order], dtype, buffer=buffer, offset=shift)
    view = array.transpose(np.argsort(order)) if order else array
    view = view[tuple(slice(None, None, step or 1) for step in steps)]
    return np.broadcast_to(view, shape)


@settings(max_examples=400, deadline=None)
@given(
    view=views(),
    gap=st.integers(0, 5),
    slab=st.sampled_from([4, 16, 100, 1000, 2**16]),
    window=st.sampled_from([1, 50, 400, 3000, 2**20]),
    tile=st.sampled_from([4, 16, 64, 600]),
    small=st.sampled_from([0, 0, 2**14]),
)
def test_copies_what_numpy_copies(
    view: npt.NDArray[Any], gap: int, slab: int, window: int, tile: int, small: int
) -> None:
    with limits(slab, window, tile, small):
        got = copied(view, gap)
    assert not view.size or np.may_share_memory(tiles._merge_axes(view), view), "the whole view was copied on the way"
    if view.dtype.kind == "f" and view.dtype.itemsize == 4:
        # Bit by bit, whatever the bits mean.
        stored = np.dtype(np.uint32).newbyteorder(view.dtype.byteorder)
        assert got == np.ascontiguousarray(view.view(stored).astype("<u4")).tobytes()
        return
    with np.errstate(all="ignore"):
        expected = np.ascontiguousarray(view.astype("<f4"))
    result = np.frombuffer(got, "<f4").reshape(view.shape)
    assert (np.isnan(result) == np.isnan(expected)).all()
    assert result[~np.isnan(result)].tobytes() == expected[~np.isnan(expected)].tobytes()


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        pytest.param((40, 30, 11, 11), (2, 3, 1, 0), id="kernel-11x11"),
        pytest.param((300, 200, 1, 1), (2, 3, 1, 0), id="kernel-1x1"),
        pytest.param((64, 1, 3, 3), (2, 3, 0, 1), id="depthwise"),
        pytest.param((24, 20, 3, 3, 3), (2, 3, 4, 1, 0), id="kernel-3d"),
        pytest.param((600, 32, 5, 5), (2, 3, 1, 0), id="inner-product-behind-spatial"),
        pytest.param((6, 6, 12, 500), (2, 0, 1, 3), id="rows-permuted"),
        pytest.param((100000,), (0,), id="vector"),
        pytest.param((), (), id="scalar"),
    ],
)
@pytest.mark.parametrize("shift", [pytest.param(0, id="aligned"), pytest.param(1, id="unaligned")])
@pytest.mark.parametrize("source", ["memory", "mapping", "file"])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2"])
def test_copies_weights(shape: tuple[int, ...], axes: tuple[int, ...], shift: int, source: str, dtype: str) -> None:
    buffer = RANDOM.data if source == "memory" else mapped(source == "file")
    view = np.ndarray(shape, dtype, buffer=buffer, offset=shift).transpose(axes)
    with limits(slab=2**14, window=2**15, tile=2**11):
        got = np.frombuffer(copied(view), "<f4")
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(got, view.astype("<f4").reshape(-1))
    if dtype == "<f4":
        assert got.tobytes() == view.view("<u4").tobytes()


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(2, id="small"),
        pytest.param(2**14, id="one-slab"),
        pytest.param(2**22 + 5, id="two-slabs-and-two-threads"),
    ],
)
def test_copies_with_the_limits_in_use(size: int) -> None:
    view = np.arange(3 * size, dtype="<f4").reshape(size, 3).T
    assert copied(view) == np.ascontiguousarray(view).tobytes()


def test_values_outside_float32_become_infinite_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    view = np.array([1e300, -1e300, np.nan, 1e-300])
    assert np.frombuffer(copied(view), "<f4")[:2].tolist() == [np.inf, -np.inf]
    assert not recwarn.list


@pytest.mark.parametrize("dtype", ["<c8", "O", "S4"])
def test_refuses_what_has_no_float32(dtype: str) -> None:
    with pytest.raises(TypeError):
        copied(np.zeros(3, dtype))


def test_every_piece_goes_to_its_own_place() -> None:
    pieces: list[tuple[npt.NDArray[Any], int]] = [
        (np.full((3, 4), 2, np.float64).T, 8),
        (np.zeros((0, 5)), 60),
        (np.full((), 3, np.int8), 0),
    ]
    output = bytearray(60)
    progress: list[int] = []

    def write_at(offset: int, data: memoryview) -> None:
        output[offset : offset + len(data)] = data

    tiles.copy_pieces(pieces, write_at, progress=progress.append)
    assert np.frombuffer(output, "<f4").tolist() == [3, 0] + 12 * [2] + [0]
    assert progress == sorted(progress) and progress[-1] == 52


@pytest.mark.parametrize("failing_thread", [pytest.param("main", id="main"), pytest.param("helper", id="helper")])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_a_failure_in_either_thread_stops_both(failing_thread: str, failure: BaseException) -> None:
    main = threading.current_thread()
    other_started, failed = threading.Event(), threading.Event()
    calls: list[str] = []
    failing: list[threading.Thread] = []

    def write_at(offset: int, data: memoryview) -> None:
        thread = "main" if threading.current_thread() is main else "helper"
        calls.append(thread)
        if thread == failing_thread:
            assert other_started.wait(60)
            failing.append(threading.current_thread())
            failed.set()
            raise failure
        other_started.set()
        assert failed.wait(60)  # or this thread copies everything before the other one has had a turn
        if failing_thread == "helper":
            failing[0].join(60)

    before = threading.active_count()
    with limits(slab=64, window=2**20, tile=64), pytest.raises(type(failure)) as caught:
        tiles.copy_pieces([(np.zeros(2**17), 0)], write_at)
    assert caught.value is failure
    assert calls.count(failing_thread) == 1
    if failing_thread == "helper":
        assert calls.count("main") == 1, "it went on after the other had failed"
    assert threading.active_count() == before


MAPPED = """
import mmap, os, pathlib, re, sys
import numpy as np
from caffeconv.writing import tiles
from caffeconv.errors import ParseError
path, megabytes = sys.argv[1], int(sys.argv[2])
class Mapping(mmap.mmap):
    pass
def peak():
    return int(re.search(r"VmHWM:\\s*([0-9]+) kB", pathlib.Path("/proc/self/status").read_text())[1])
with open(path, "rb") as file:
    mapping = Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
    if sys.argv[3] == "file":
        mapping.descriptor = os.dup(file.fileno())
rows = megabytes * 2**20 // 4 // 25088
view = np.frombuffer(mapping, "<f4", rows * 25088).reshape(rows, 512, 7, 7).transpose(2, 3, 1, 0)
tiles._SLAB = 2**20
tiles.copy_pieces([(view[..., :8], 0)], lambda offset, data: None)
before = peak()
if sys.argv[3] == "small":
    pieces = [(part, 0) for part in np.frombuffer(mapping, "<f4", rows * 25088).reshape(-1, 12544)]
else:
    pieces = [(view, 0)]
tiles.copy_pieces(pieces, lambda offset, data: data.tobytes())
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="pages are given back, and counted in these units, on Linux")
@pytest.mark.parametrize("through", ["mapping", "file", "small"])
def test_pages_of_a_mapped_source_do_not_pile_up(tmp_path: Any, through: str) -> None:
    source = tmp_path / "source"
    with source.open("wb") as file:
        file.truncate(160 * 2**20)
    command = [sys.executable, "-c", MAPPED, str(source), "160", through]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 60, f"resident memory grew by {grown} MB over a file of 160 MB"


def test_a_private_mapping_keeps_its_changes(tmp_path: Any) -> None:
    """Giving pages of a writable mapping back would undo what was written to them."""
    (tmp_path / "source").write_bytes(bytes(2**16))
    with (tmp_path / "source").open("rb") as file:
        mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    array = np.frombuffer(mapping, "<f4")
    array[:] = 1
    assert copied(array) == np.ones(2**14, "<f4").tobytes()
    assert array.min() == 1


def test_a_mapped_file_that_shrinks_is_an_error(tmp_path: Any) -> None:
    with (tmp_path / "source").open("wb+") as file:
        file.write(RANDOM.tobytes())
        file.flush()
        mapping = Mapping(file.fileno(), 0, access=mmap.ACCESS_READ)
        mapping.descriptor = file.fileno()
        view = np.frombuffer(mapping, "<f4").reshape(256, 4096)[:, :1024].T  # little enough of it to be read
        file.truncate(2**19 + 5)
        with pytest.raises(ParseError, match="became shorter"):
            copied(view)


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2"])
@pytest.mark.parametrize("size", [64, 2**15])
def test_odd_values_are_seen_wherever_they_lie(dtype: str, size: int) -> None:
    """In pieces that are copied whole, and in slabs of two threads."""
    sound, odd, zeros = (np.ones((size, 5), dtype) for _ in range(3))
    zeros[:] = 0
    odd[[0, -1], [0, 4]] = np.nan
    odd[size // 2] = np.inf
    pieces = [(each.T, 0) for each in (sound, odd, zeros, np.zeros((3, 0), dtype))]
    with limits(slab=2**10, window=2**20, tile=64):
        seen = tiles.copy_pieces(pieces, lambda offset, data: None)
    assert [(each.nan, each.infinite, each.only_zeros) for each in seen] == [
        (0, 0, False), (2, 5, False), (0, 0, True), (0, 0, True)
    ]  # fmt: skip


def test_values_whose_squares_overflow_or_vanish_are_not_odd() -> None:
    seen = tiles.copy_pieces([(np.full(9, value, "<f4"), 0) for value in (1e30, 1e-30)], lambda offset, data: None)
    assert [(each.nan, each.infinite, each.only_zeros) for each in seen] == [(0, 0, False)] * 2
