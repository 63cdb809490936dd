"""Sizes that are not known: whatever is told of a layer is right, nothing refuses, and no axis is lost.

Each case of each family is told again with sizes of its bottoms left out: what then is known of its tops and blobs
must be what real Caffe, or the fork's source, says of the whole ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from caffeconv.model import MaybeShape, PartialShape, Shape, whole
from caffeconv.net.shapes import expected_blobs, infer_top_shapes
from tests.support.families import modules_by_family
from tests.support.shape_cases import Case

CASES: dict[str, Case] = {
    f"{family}/{name}": case
    for family, module in modules_by_family("tests.net.shapes").items()
    for name, case in module.CASES.items()
    if case.bottoms and all(whole(bottom) for bottom in case.bottoms)
}
REFUSED: dict[str, Case] = {
    f"{family}/{name}": case
    for family, module in modules_by_family("tests.net.shapes").items()
    for name, case in getattr(module, "REFUSED", {}).items()
}


def left_out(case: Case) -> Iterator[tuple[str, tuple[MaybeShape, ...]]]:
    """The bottoms without one size, without two of one bottom, without all of one, and without any."""
    bottoms = [bottom or () for bottom in case.bottoms]
    for number, bottom in enumerate(bottoms):
        axes = range(len(bottom))
        for gone in (*((axis,) for axis in axes), *itertools.combinations(axes, 2), tuple(axes)):
            shape = tuple(None if axis in gone else size for axis, size in enumerate(bottom))
            yield f"{number}: {gone}", (*bottoms[:number], shape, *bottoms[number + 1 :])
    yield "pixels", tuple((*bottom[:2], *(None for _ in bottom[2:])) for bottom in bottoms)
    yield "batch", tuple((None, *bottom[1:]) if bottom else () for bottom in bottoms)
    yield "all", tuple((None,) * len(bottom) for bottom in bottoms)


def assert_true(told: MaybeShape, said: MaybeShape, what: object) -> int:
    """What is told agrees with what is said, axis by axis; how many sizes are told."""
    if told is None or said is None:
        return 0
    assert len(told) == len(said), what
    assert all(size in (None, true) or true is None for size, true in zip(told, said, strict=True)), (what, told, said)
    return sum(size is not None for size in told)


@pytest.mark.parametrize("name", CASES)
def test_tops_are_right_as_far_as_they_go(name: str) -> None:
    case = CASES[name]
    for gone, bottoms in left_out(case):
        tops, _, refused = infer_top_shapes(case.param, bottoms)
        assert not refused, gone
        for top, said in zip(tops, case.tops, strict=True):
            assert_true(top, said, gone)
            assert (top is None) == (said is None), gone


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.blobs is not None])
def test_blobs_are_right_as_far_as_they_go(name: str) -> None:
    case = CASES[name]
    assert case.blobs is not None
    for gone, bottoms in left_out(case):
        blobs = expected_blobs(case.param, bottoms)
        assert blobs is not None, gone
        for blob, said in zip(blobs, case.blobs, strict=True):
            assert_true(blob, said, gone)


def test_most_of_what_is_known_is_told() -> None:
    """A case in which nothing is told would be right, too."""
    told = known = 0
    for case in CASES.values():
        for _, bottoms in left_out(case):
            tops = infer_top_shapes(case.param, bottoms).tops
            told += sum(assert_true(top, said, case) for top, said in zip(tops, case.tops, strict=True))
            known += sum(len(said) for said in case.tops if said is not None)
    assert known > 10_000
    assert told > 0.64 * known


@pytest.mark.parametrize("name", REFUSED)
def test_what_caffe_refuses_is_never_told_with_sizes_made_up(name: str) -> None:
    """With sizes left out a contradiction may go unseen, but nothing raises and each top has at most a shape."""
    case = REFUSED[name]
    if not all(map(whole, case.bottoms)):
        return
    for gone, bottoms in left_out(case):
        tops, reason, refused = infer_top_shapes(case.param, bottoms)
        assert len(tops) == len(case.tops), gone
        assert not refused or reason, gone


BATCH = [
    pytest.param(4, True, id="the-same-batch"),
    pytest.param(5, False, id="another-batch"),
]


@pytest.mark.parametrize(("size", "goes"), BATCH)
def test_sizes_that_contradict_each_other_are_refused_where_they_are_known(size: int, goes: bool) -> None:
    shapes: tuple[PartialShape, ...] = ((4, None, 6), (size, 3, None))
    tops, _, refused = infer_top_shapes(Case("Eltwise", "", shapes).param, shapes)
    assert (tops[0], refused) == (((4, 3, 6), False) if goes else (None, True))


def test_known_and_unknown_sizes_are_put_together() -> None:
    shapes: tuple[Shape | PartialShape, ...] = ((2, None, 4, None), (None, 3, None, 5))
    assert infer_top_shapes(Case("Eltwise", "", shapes).param, shapes).tops == ((2, 3, 4, 5),)
    concat = Case("Concat", "", shapes).param
    assert infer_top_shapes(concat, shapes).tops == ((2, None, 4, 5),)
