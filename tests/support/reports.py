"""What `--report` says of a net: by the command, or of a net that is put together by hand."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema

from caffeconv.keras.adjust.renaming import rename_layers
from caffeconv.keras.building import Options
from caffeconv.keras.conversion import model_of, result_of
from caffeconv.model import Net
from caffeconv.writing.report import reporting
from tests.support.places import CHECKOUT

__all__ = ["SCHEMA", "Report", "mistakes", "report_on", "strictly_read"]

Report = dict[str, Any]

SCHEMA: dict[str, Any] = json.loads((CHECKOUT / "docs" / "report.schema.json").read_text("utf-8"))


def report_on(net: Net, folder: Path, options: Options | None = None) -> Report:
    """The report of a conversion, as a strict reader finds it in the file."""
    options = options or Options()
    model = model_of(net, options)
    plain = result_of(model, net, options, False)
    result = rename_layers(plain)
    stored = {old.name: new.name for old, new in zip(plain.layers, result.layers, strict=True)}
    with reporting(folder / "report.json", net, model, result, stored):
        pass
    return strictly_read(folder / "report.json")


def strictly_read(path: Path) -> Report:
    """JSON as RFC 8259 has it: in UTF-8, without halves of surrogates, and no word that is no number."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    report: Report = json.loads(path.read_bytes().decode(), parse_constant=refuse)
    json.dumps(report, ensure_ascii=False).encode()
    return report


def mistakes(report: Report) -> list[str]:
    """Where a report is not what the schema says."""
    return [f"{error.json_path}: {error.message[:200]}" for error in _validator().iter_errors(report)]


@functools.cache
def _validator() -> Any:
    return jsonschema.Draft202012Validator(SCHEMA)
