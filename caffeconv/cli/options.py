"""Option values with a syntax of their own, and the options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

__all__ = ["NamedShape", "as_mapping", "net_options"]


def as_mapping(_: click.Context, __: click.Parameter, pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """What an option that may be given often has gathered; the last of equal names counts."""
    return dict(pairs)


_Function = TypeVar("_Function", bound=Callable[..., Any])


class NamedShape(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """`NAME=1,3,224,224`, as a pair of the name and the sizes; where they may be known `partly`, `None` for a `?`."""

    name = "NAME=SIZES"

    def __init__(self, *, partly: bool = False) -> None:
        self.partly = partly

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[int | None, ...]]:
        if isinstance(value, tuple):
            return value
        name, equals, sizes = value.rpartition("=")
        try:
            shape = tuple(None if self.partly and size == "?" else int(size) for size in sizes.split(","))
        except ValueError:
            shape = ()
        if not name or not equals or not shape or any(size is not None and size < 1 for size in shape):
            what = "NAME=1,3,224,224, where ? leaves a size open" if self.partly else "NAME=1,3,224,224"
            self.fail(f"{value!r} is not of the form {what}", param, ctx)
        return name, shape


_NET_OPTIONS = (
    click.option(
        "--phase", type=click.Choice(["train", "test"], case_sensitive=False), default="test", show_default=True,
        callback=lambda _, __, value: value.upper(), help="Keep the layers of this phase.",
    ),
    click.option("--level", type=int, default=0, show_default=True, help="Level that include and exclude rules see."),
    click.option("--stage", "stages", multiple=True, metavar="STAGE", help="Stage that is on; may be given often."),
    click.option(
        "--input-shape", "input_shapes", type=NamedShape(partly=True), multiple=True, callback=as_mapping,
        help="Shape of an input blob that the net does not say, like data=1,3,224,224; ? leaves a size open.",
    ),
)  # fmt: skip


def net_options(function: _Function) -> _Function:
    """The options that say which net a prototxt stands for."""
    for option in reversed(_NET_OPTIONS):
        function = option(function)
    return function
