"""The shape of the package: which way imports go, one door per foreign thing, small modules, nothing undocumented.

caffemodel ──wire──┐
                   ├─ upgrade ─ net ─ shapes ─ rules ─ conversion ─▶ Result ─ writers      cli on top
prototxt ─prototxt─┘
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import environment
from tests.support.places import CHECKOUT, FIXTURES

PACKAGE = CHECKOUT / "caffeconv"
MODULES = sorted(PACKAGE.rglob("*.py"))

STAGES = (
    {"errors"},
    {"model", "files", "outputs", "fields"},
    {"snapshots", "renaming", "pages", "description", "backends", "adjust"},
    {"tiles"},
    {"sniff"},
    {"wire", "prototxt", "upgrade", "shapes"},
    {"net", "rules"},
    {"loading", "conversion"},
    {"writers"},
    {"cli"},
    {"compat"},
    {"caffeconv", "__main__"},
)
"""Each may import those above it and its own package, and nothing else of caffeconv."""

BLIND = {
    "shapes": {"snapshots", "sniff", "files"},
    "rules": {"snapshots", "sniff", "wire", "prototxt", "upgrade", "net", "files"},
    "conversion": {"snapshots", "sniff", "wire", "prototxt", "upgrade", "net", "shapes", "files", "tiles"},
    "adjust": {"files"},
    "writers": {"snapshots", "sniff", "wire", "prototxt", "upgrade", "net", "shapes", "rules", "loading", "conversion"},
}
"""Stages that, though they come later, have no business with these: they get all they need as records."""

DOORS = {
    "caffe_proto": {"wire", "snapshots", "prototxt", "upgrade"},
    "google": {"wire", "snapshots", "prototxt", "upgrade"},
    "h5py": {"snapshots", "writers.keras_h5"},
    "pickle": {"writers.pickled"},
    "click": {"cli"},
    "click_default_group": {"cli"},
    "rich": {"cli"},
    "logging": set(),
    "warnings": set(),
    "tensorflow": set(),
    "keras": set(),
    "tf_keras": set(),
    "caffe": set(),
}
"""Foreign modules, and all that may import them when the program runs."""

LONGEST = 350


def name_of(path: Path) -> str:
    """`writers.keras_h5`; a package's own module is called as the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "caffeconv"


def unit_of(name: str) -> str:
    return name.split(".")[0]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree: ast.AST) -> Iterator[str]:
    """The full names of all modules that are imported, at the top or inside functions, but not for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imports_of(node)


def own_units_of(path: Path) -> set[str]:
    """The other units of caffeconv that a module imports, for types too."""
    tree = tree_of(path)
    named = {
        name
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom)
            else []
        )
    }  # fmt: skip
    units = {name.split(".")[1] for name in named if name.startswith("caffeconv.")}
    return units - {unit_of(name_of(path))}


def public_definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        names: list[str] = []
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        found.update((name, node) for name in names if not name.startswith("_"))
    return found


def is_alias(name: str, node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign | ast.AnnAssign) and not name.isupper()


def declared(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            names: list[str] = ast.literal_eval(node.value)
            return names
    return None


@pytest.fixture(params=MODULES, ids=name_of)
def module(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_unit_has_its_place() -> None:
    assert {unit_of(name_of(path)) for path in MODULES} == set().union(*STAGES)


def test_imports_go_one_way(module: Path) -> None:
    unit = unit_of(name_of(module))
    rank = next(number for number, units in enumerate(STAGES) if unit in units)
    above = set().union(*STAGES[:rank])
    assert own_units_of(module) <= above - BLIND.get(unit, set())


def test_foreign_things_have_one_door_each(module: Path) -> None:
    name = name_of(module)
    for imported in imports_of(tree_of(module)):
        foreign = imported.split(".")[0]
        allowed = DOORS.get(foreign)
        assert allowed is None or unit_of(name) in allowed or name in allowed, f"{name} imports {foreign}"


def test_only_the_command_line_prints(module: Path) -> None:
    if unit_of(name_of(module)) == "cli":
        return
    for node in ast.walk(tree_of(module)):
        assert not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print")
        assert not (isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr")), f"line {node.lineno}"


def test_nothing_is_unpickled_or_evaluated(module: Path) -> None:
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("pickle.load", "pickle.loads", "eval", "exec", "np.load", "pickle.Unpickler")
            assert not any(keyword.arg == "allow_pickle" for keyword in node.keywords)


def test_modules_are_small(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LONGEST


def test_all_is_what_is_public(module: Path) -> None:
    """Functions, classes and constants; a name for a type may serve its module alone."""
    tree = tree_of(module)
    names = declared(tree)
    aliases = {name for name, node in public_definitions(tree).items() if is_alias(name, node)}
    if module.name == "__init__.py":
        # A package may hand on what its modules define; what it defines itself is named, too.
        assert set(public_definitions(tree)) <= set(names or ())
        return
    commands = {"convert", "inspect", "layers"} if name_of(module) == "cli.commands" else set()
    assert set(names or ()) - aliases == set(public_definitions(tree)) - aliases - commands
    assert len(names or ()) == len(set(names or ()))


def test_everything_public_is_documented(module: Path) -> None:
    tree = tree_of(module)
    if module.name != "__main__.py":
        assert ast.get_docstring(tree)
    for name, node in public_definitions(tree).items():
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert ast.get_docstring(node), name
        if isinstance(node, ast.ClassDef):
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and not each.name.startswith("_"):
                    short = any(ast.unparse(d) == "property" for d in each.decorator_list)
                    assert ast.get_docstring(each) or short or unit_of(name_of(module)) == "cli", f"{name}.{each.name}"


HEAVY = ("numpy", "h5py", "google.protobuf", "caffe_proto", "rich", "click", "json", "difflib", "pickle")
LENET = FIXTURES / "lenet_like"


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        pytest.param(["--help"], ["numpy", "h5py", "google.protobuf", "caffe_proto", "rich"], id="help"),
        pytest.param(["--version"], ["numpy", "h5py", "google.protobuf", "caffe_proto", "rich"], id="version"),
        pytest.param(
            ["convert", "--help"], ["numpy", "h5py", "google.protobuf", "caffe_proto", "rich"], id="convert-help"
        ),
        pytest.param(
            ["inspect", "--help"], ["numpy", "h5py", "google.protobuf", "caffe_proto", "rich"], id="inspect-help"
        ),
        pytest.param(["convert"], ["numpy", "h5py", "google.protobuf", "caffe_proto"], id="wrong-usage"),
        pytest.param(["layers"], ["h5py", "google.protobuf", "caffe_proto"], id="layers"),
        pytest.param(["inspect", LENET / "net.prototxt"], ["h5py"], id="inspect-prototxt"),
        pytest.param(["inspect", "--json", LENET / "net.caffemodel"], ["h5py", "rich"], id="inspect-caffemodel"),
        pytest.param(["inspect", LENET / "net.caffemodel.h5"], [], id="inspect-snapshot"),
        pytest.param(["OUT", LENET / "net.prototxt", LENET / "net.caffemodel"], ["rich"], id="convert"),
        pytest.param(
            ["-f", "pickle", "OUT", LENET / "net.prototxt", LENET / "net.caffemodel"], ["rich", "h5py"], id="to-pickle"
        ),
    ],
)
def test_commands_import_no_more_than_they_need(
    arguments: list[str | Path], unwanted: list[str], tmp_path: Path
) -> None:
    program = (
        "import sys\n"
        "from caffeconv.cli import main\n"
        "try:\n    main(sys.argv[1:])\n"
        "except SystemExit as end:\n    status = end.code\n"
        f"print('loaded:', *(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)\n"
        "sys.exit(status)\n"
    )
    words = [str(word).replace("OUT", str(tmp_path / "out")) for word in arguments]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == (2 if words == ["convert"] else 0), done.stderr
    loaded = done.stderr.splitlines()[-1].removeprefix("loaded: ").split()
    assert "click" in loaded
    assert not set(loaded) & set(unwanted)


def test_importing_the_library_imports_nothing_heavy() -> None:
    program = f"import sys, caffeconv; dir(caffeconv); print(*(n for n in {HEAVY!r} if n in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
