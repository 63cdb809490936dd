"""The shape of the package: wings, and which way imports go between and inside them; one door per foreign thing; a noun
for every file; small modules, nothing undocumented.

errors  model  catalogue  caffe_proto  ←  reading  ←  net  ←  keras  ←  writing  ←  cli  ←  compat
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from caffeconv.catalogue import FAMILIES
from tests.support.command import environment
from tests.support.places import CHECKOUT, FIXTURES

PACKAGE = CHECKOUT / "caffeconv"
MODULES = sorted(PACKAGE.rglob("*.py"))

WINGS = ("reading", "net", "keras", "writing", "cli")
"""Each may import those before it, what lies at the root below them all, and itself."""
GROUND = ("errors", "catalogue", "model")
ROOF = ("compat", "__init__", "__main__")
"""Files at the root, in the order in which each may import those before it: below the wings, and above them."""

BLIND = {"keras": {"reading"}, "writing": {"reading", "net"}, "cli": {"reading"}, "compat": {"reading"}}
"""Who, though later, has no business with these: it gets all that it needs as records."""
READERS = {"net.loading"}
"""The one file of net/ that knows of files."""

LAYERS = {
    "reading": (
        {"files", "kinds", "wire.format"},
        {"snapshots", "wire", "prototxt", "upgrade"},
        {"sniff"},
        {"contents"},
        {"__init__"},
    ),
    "net": (
        {"agreement", "fillers", "filtering", "fitting", "gaps", "settings", "shapes"},
        {"graph", "join", "remarks", "settling"},
        {"__init__"},
        {"loading"},
    ),
    "keras": (
        {"__init__", "description", "functions", "graph", "refused_names", "stored_names"},
        {"building"},
        {"given_shapes", "rules", "sharing"},
        {"adjust", "assembling"},
        {"conversion"},
    ),
    "writing": (
        {"__init__", "outputs", "atomic", "pages", "unique_names", "keras_operations"},
        {"tiles", "weighted_operations"},
        {
            "offsets",
            "keras2_operations",
            "python_classes",
            "python_statements",
            "datasets",
            "keras_config",
            "keras_steps",
            "values",
        },
        {"graph_description"},
        {"keras_archive", "keras_h5", "pickled", "python_source", "report"},
    ),
    "cli": (
        {"text", "options", "new_names", "progress"},
        {"columns", "outcome"},
        {"printing"},
        {"convert", "inspect", "layers"},
        {"commands"},
        {"__init__"},
        {"process"},
    ),
}
"""The floors of each wing, the lowest first: a file imports those of lower floors, and what lies in its own folder."""

DOORS = {
    "caffe_proto": {"reading"},
    "google": {"reading"},
    "h5py": {"reading.snapshots", "writing.datasets", "writing.keras_archive", "writing.keras_h5"},
    "pickle": {"writing.pickled"},
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

TWINS = {"__init__", "graph", "table", *FAMILIES}
"""Names that more than one file may bear: the two sides of one thing in two wings."""

LONGEST = 350


def name_of(path: Path) -> str:
    """`writing.keras_h5`; a package's own module is called as the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "caffeconv"


NAMES = {name_of(path) for path in MODULES}
PACKAGES = {name_of(path) for path in MODULES if path.name == "__init__.py"}


def wing_of(name: str) -> str:
    return name.split(".")[0]


def floor_of(name: str) -> int | None:
    """The floor of its wing that a file is on; a folder's files are on the folder's, unless they are named."""
    wing, _, rest = name.partition(".")
    places = [rest, rest.split(".")[0]] if rest else ["__init__"]
    floors = [number for place in places for number, floor in enumerate(LAYERS[wing]) if place in floor]
    return floors[0] if floors else None


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


def own_imports_of(path: Path) -> set[str]:
    """The other modules of caffeconv that a module imports, for types too."""
    named = {
        name
        for node in ast.walk(tree_of(path))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [f"{node.module}.{alias.name}" for alias in node.names] if isinstance(node, ast.ImportFrom)
            else []
        )
    }  # fmt: skip
    return {module_of(name.removeprefix("caffeconv.")) for name in named if name.startswith("caffeconv.")}


def module_of(imported: str) -> str:
    """`reading.files` of `reading.files.open_file`, and `reading` of `reading.Kind`."""
    while imported and imported not in NAMES:
        imported = imported.rpartition(".")[0]
    return imported or "__init__"


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


def test_every_file_has_its_place() -> None:
    places = {name_of(path) for path in MODULES}
    root = {name for name in places if "." not in name and name not in WINGS}
    assert root - {"caffeconv"} == {*GROUND, *ROOF} - {"__init__"}
    assert {wing_of(name) for name in places} - root == set(WINGS)
    assert [name for name in places - root if floor_of(name) is None] == []


def test_imports_go_one_way_between_the_wings(module: Path) -> None:
    wing = wing_of(name_of(module)).replace("caffeconv", "__init__")
    order = [*GROUND, *WINGS, *ROOF]
    before = set(order[: order.index(wing)])
    assert {wing_of(name) for name in own_imports_of(module)} - {wing} <= before - BLIND.get(wing, set())


def test_only_loading_reads(module: Path) -> None:
    name = name_of(module)
    if wing_of(name) == "net" and name not in READERS:
        assert "reading" not in {wing_of(imported) for imported in own_imports_of(module)}


def test_imports_go_one_way_inside_the_wings(module: Path) -> None:
    name = name_of(module)
    wing, _, rest = name.partition(".")
    if wing not in LAYERS:
        return
    own = floor_of(name)
    assert own is not None
    for imported in own_imports_of(module):
        if wing_of(imported) == wing:
            below = floor_of(imported)
            folder = rest.split(".")[0] if "." in rest or name in PACKAGES else None
            same_folder = folder is not None and imported.startswith(f"{wing}.{folder}")
            assert below is not None and (below < own or same_folder), f"{name} imports {imported}"


def test_nothing_imports_in_circles() -> None:
    """Module by module, whatever the floors say; a package counts as what its own file imports."""
    imports = {name_of(path): own_imports_of(path) - {name_of(path)} for path in MODULES}
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way[way.index(name) :], name))
        if name not in done:
            for other in sorted(imports.get(name, ())):
                visit(other, (*way, name))
            done.add(name)

    for name in imports:
        visit(name, ())


def test_no_two_files_bear_one_noun() -> None:
    nouns = [path.stem for path in MODULES if path.stem not in TWINS]
    assert sorted(nouns) == sorted(set(nouns))


def test_a_layer_family_has_the_same_file_in_every_wing() -> None:
    for folder in ("net/shapes", "keras/rules"):
        assert set(FAMILIES) <= {path.stem for path in (PACKAGE / folder).glob("*.py")}, folder


def test_foreign_things_have_one_door_each(module: Path) -> None:
    name = name_of(module)
    for imported in imports_of(tree_of(module)):
        foreign = imported.split(".")[0]
        allowed = DOORS.get(foreign)
        assert allowed is None or wing_of(name) in allowed or name in allowed, f"{name} imports {foreign}"


def test_only_the_command_line_prints(module: Path) -> None:
    if wing_of(name_of(module)) == "cli":
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
    assert set(names or ()) - aliases == set(public_definitions(tree)) - aliases
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
                    assert ast.get_docstring(each) or short or wing_of(name_of(module)) == "cli", f"{name}.{each.name}"


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
