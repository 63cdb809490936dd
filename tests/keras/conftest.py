"""Both Keras, and the nets of `fixtures/` converted, each once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.described_models import KERAS, Layers, converted
from tests.support.places import FIXTURES


@pytest.fixture(scope="module", params=KERAS)
def keras(request: pytest.FixtureRequest) -> Any:
    """A real Keras; where it is not installed, what needs it is skipped."""
    return pytest.importorskip(request.param)


class Conversions:
    """The nets of `fixtures/`, converted when they are asked for."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._made: dict[str, Layers] = {}

    def __getitem__(self, fixture: str) -> Layers:
        if fixture not in self._made:
            self._made[fixture] = converted(FIXTURES / fixture, self._folders.mktemp(fixture))
        return self._made[fixture]


@pytest.fixture(scope="session")
def conversions(tmp_path_factory: pytest.TempPathFactory) -> Conversions:
    return Conversions(tmp_path_factory)
