"""The layer families: what has to do with a layer type is in the file of its family, in every wing and in its tests."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

from caffeconv.catalogue import FAMILIES
from tests.support.places import CHECKOUT

__all__ = ["modules_by_family", "tables"]


def modules_by_family(package: str) -> dict[str, ModuleType]:
    """Those of the modules `test_<family>` that a package of tests has."""
    folder = CHECKOUT.joinpath(*package.split("."))
    present = (family for family in FAMILIES if (folder / f"test_{family}.py").exists())
    return {family: importlib.import_module(f"{package}.test_{family}") for family in present}


def tables(package: str, name: str) -> list[Any]:
    """The table of that name of each family that has one."""
    return [getattr(module, name) for module in modules_by_family(package).values() if hasattr(module, name)]
