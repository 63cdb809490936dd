"""Writes the parts of the documentation that the program itself knows, so that they cannot drift.

python docs/generate.py            write docs/command-line.md, docs/layers.md and docs/report.md
python docs/generate.py --check    fail if they are not what would be written
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

from caffeconv.cli import main as command
from caffeconv.keras.rules.table import WEIGHTED

DOCS = Path(__file__).resolve().parent
EXAMPLE = "fixtures/batch_norm_old_params"
WIDTH = 112
NOTICE = "<!-- Written by docs/generate.py (`make docs`); changes made here are lost. -->"


def command_line() -> str:
    """The help pages of all commands."""
    parts = ["# The command line", NOTICE, "Notes and errors go to stderr, results to stdout. "
             "Exit status: 0 done, 1 the conversion failed and no file was written, 2 wrong usage."]  # fmt: skip
    for words in pages(command):
        # click wraps at the width of the terminal, which must not matter here.
        shown = CliRunner().invoke(command, [*words, "--help"], prog_name="caffeconv", terminal_width=100)
        parts += [f"## `{' '.join(['caffeconv', *words])}`", f"```text\n{shown.output.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def pages(group: click.Group) -> Iterator[list[str]]:
    yield []
    yield from ([name] for name in group.commands)


def layers() -> str:
    """The table of layer types, from the rules themselves."""
    rows = [
        f"| `{name}` | {rule.blobs} | {rule.keras} | {rule.weights} |".replace("|,", "\\|,")
        for name, rule in WEIGHTED.items()
    ]
    head = ["| Caffe type | Caffe's blobs | Keras layer | arrays, in load order |", "| --- | --- | --- | --- |"]
    text = (
        "What is in brackets is there only if the layer has it. A layer of any other type that has blobs is written "
        "as stored, with a note, as `weights_0`, `weights_1`, …; `--skip-unknown` leaves it out. "
        "`caffeconv layers` prints this table."
    )
    return "\n\n".join(["# Layer types", NOTICE, text, "\n".join([*head, *rows])]) + "\n"


REPORT = """\
`caffeconv convert --report report.json …` writes what a conversion made of a net, for programs. Whatever the net is
called, and whatever numbers are in it, the file is JSON as RFC 8259 has it, in UTF-8: a number that is not finite is
one of the words `"NaN"`, `"Infinity"` and `"-Infinity"`, and what is no Unicode in a name is escaped, as in
`"a\\\\ud800"`.

- `layers` and `notes`: each layer of the file of weights, under its name there, with the Keras layer that its arrays
  are for and all that is to be said about it.
- `net`: Caffe's side. Every layer in order, those without weights, too, with what became of it, and where Keras holds
  each blob that it makes.
- `model`: Keras' side. Inputs, outputs, and every call of a layer, as `--format py` writes them.

A layer of Caffe's is meant by its index in `net.layers`, since names repeat; a call by its name, which no other has.
`net` is what Caffe has, `model` what is made of it with the options that were given; `--backend`, `--rename`,
`--slash` and `--keras-names` change the file of weights, and so `layers`, alone.

[report.schema.json](report.schema.json) is the schema (JSON Schema, draft 2020-12), and the tests hold the reports of
many nets against it. Its version, `version` in the report, is major.minor: the first number goes up when a field goes,
or means something else; the second when there are new fields, or new words in one that has a choice of them. Who reads
version 1 reads what he knows, and passes over the rest. A report without a version has `layers` and `notes`
alone, with the fields that they have here.

The file of weights holds less, so that it is what Keras itself writes: each group has the layer's record, without its
notes, as the attribute `caffeconv`. Inputs and outputs are in the report, and in the model.
"""


def report() -> str:
    """The fields of the report, from its schema, and one that was written."""
    schema = json.loads((DOCS / "report.schema.json").read_text("utf-8"))
    parts = ["# The report", NOTICE, REPORT.strip(), f"## A report\n\nOf [{EXAMPLE}](../{EXAMPLE}/net.prototxt):"]
    parts += [f"```json\n{laid_out(example())}\n```", "## Its fields"]
    for path, record in records(schema, schema, "The whole"):
        rows = [f"| `{name}` | {words(field, schema)} |" for name, field in record["properties"].items()]
        parts += [f"### {path}", record["description"], "\n".join(["| field | what it is |", "| --- | --- |", *rows])]
    return "\n\n".join(parts) + "\n"


def example() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        files = [str(DOCS.parent / EXAMPLE / name) for name in ("net.prototxt", "net.caffemodel")]
        arguments = [str(Path(folder) / "out"), *files, "--report", str(Path(folder) / "report.json")]
        done = CliRunner().invoke(command, arguments)
        assert done.exit_code == 0, done.output
        return json.loads((Path(folder) / "report.json").read_text("utf-8"))


def laid_out(value: Any, before: int = 0) -> str:
    """JSON for people: what fits into a line is one."""
    line = json.dumps(value, ensure_ascii=False)
    if before + len(line) <= WIDTH or not isinstance(value, dict | list):
        return line
    indent = " " * (before // 2 * 2 + 2)
    if isinstance(value, dict):
        inner = [f"{json.dumps(key)}: {laid_out(each, len(indent))}" for key, each in value.items()]
    else:
        inner = [laid_out(each, len(indent)) for each in value]
    first, last = ("{", "}") if isinstance(value, dict) else ("[", "]")
    body = ",\n".join(indent + each for each in inner)
    return f"{first}\n{body}\n{indent[2:]}{last}"


def records(part: Any, schema: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All kinds of records in a schema, each with the place where it stands first."""
    todo, seen = [(path, part)], set()
    while todo:
        path, part = todo.pop(0)
        if "$ref" in part:
            if part["$ref"] in seen or part["$ref"].endswith("argument"):
                continue
            seen.add(part["$ref"])
            part = resolved(part, schema)
        if "properties" in part:
            yield path, part
            start = "" if path == "The whole" else f"{path.strip('`')}."
            todo += [(f"`{start}{name}`", field) for name, field in part["properties"].items()]
        if isinstance(part.get("items"), dict):
            todo.append((f"`{path.strip('`')}[]`", part["items"]))
        todo += [(path, each) for each in part.get("anyOf", ())]


def resolved(part: Any, schema: Any) -> Any:
    return schema["$defs"][part["$ref"].removeprefix("#/$defs/")] if "$ref" in part else part


def words(field: Any, schema: Any) -> str:
    text: str = field.get("description") or resolved(field, schema)["description"]
    return text.replace("|", "\\|")


def main() -> int:
    pages_made = {
        DOCS / "command-line.md": command_line(),
        DOCS / "layers.md": layers(),
        DOCS / "report.md": report(),
    }
    if "--check" in sys.argv[1:]:
        stale = [path.name for path, text in pages_made.items() if not path.exists() or path.read_text("utf-8") != text]
        print(f"out of date, run make docs: {', '.join(stale)}" if stale else "docs are up to date")
        return 1 if stale else 0
    for path, text in pages_made.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
