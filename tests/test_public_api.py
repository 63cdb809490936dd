"""What `import caffeconv` offers: these names, no others, each typed and documented."""

from __future__ import annotations

import ast
import inspect
import typing
from pathlib import Path

import pytest

import caffeconv

NAMES = [
    "Blob", "CaffeconvError", "KerasCall", "Layer", "LayerWeights", "MismatchError", "Net", "Note", "ParseError",
    "Result", "UnsupportedError", "Weight", "WriteError", "convert", "convert_caffemodel_to_dict",
    "convert_caffemodel_to_keras", "load_net",
]  # fmt: skip


def test_the_names() -> None:
    assert sorted(caffeconv.__all__) == NAMES
    assert set(NAMES) <= set(dir(caffeconv))


def test_star_import() -> None:
    names: dict[str, object] = {}
    exec("from caffeconv import *", names)
    assert sorted(name for name in names if not name.startswith("_")) == NAMES


def test_other_names_are_missing() -> None:
    with pytest.raises(AttributeError, match="module 'caffeconv' has no attribute 'convrt'"):
        caffeconv.convrt  # noqa: B018
    assert not hasattr(caffeconv, "main")


def test_what_type_checkers_see_is_what_there_is() -> None:
    """The lazy table and the imports for type checkers say the same."""
    tree = ast.parse(Path(caffeconv.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted(name for name in seen if name in caffeconv.__all__) == NAMES
    for name in NAMES:
        assert getattr(caffeconv, name).__module__ == seen[name]


@pytest.mark.parametrize("name", NAMES)
def test_documented_and_typed(name: str) -> None:
    each = getattr(caffeconv, name)
    assert inspect.getdoc(each)
    if inspect.isfunction(each):
        signature = inspect.signature(each)
        assert signature.return_annotation is not inspect.Signature.empty
        assert all(parameter.annotation is not parameter.empty for parameter in signature.parameters.values())
        assert "Raises:" in (each.__doc__ or "")


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(caffeconv.__file__).parent / "py.typed").exists()


def test_errors_are_one_family() -> None:
    kinds = ["MismatchError", "ParseError", "UnsupportedError", "WriteError"]
    for kind in kinds:
        assert getattr(caffeconv, kind).__bases__ == (caffeconv.CaffeconvError,)
    assert caffeconv.CaffeconvError.__bases__ == (Exception,)


@pytest.mark.parametrize("name", ["Blob", "KerasCall", "Layer", "LayerWeights", "Net", "Note", "Result", "Weight"])
def test_records_are_frozen_and_hold_tuples(name: str) -> None:
    record = getattr(caffeconv, name)
    assert record.__dataclass_params__.frozen
    import caffeconv.model as model

    hints = typing.get_type_hints(record, {**vars(model), "LayerParameter": object})
    assert not any(typing.get_origin(hint) in (list, dict, set) for hint in hints.values())
