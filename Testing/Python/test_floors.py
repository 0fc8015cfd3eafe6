"""The architecture as a test: floors, homes of foreign packages, sizes, names."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "ActiveSeg"
ENGINE = MODULE / "Logic" / "activeseg"

# A file imports only from floors below its own, from its own package, or as NEIGHBOURS says.
FLOORS = {
    "errors": 0, "progress": 0, "keys": 0, "files": 0, "sources": 0,
    "caches": 0,
    "cohort": 1, "annotations": 1, "executors": 1,
    "model": 2,
    "uncertainty": 3, "representativeness": 3, "quality": 3, "contour": 2, "cost": 3, "minutes": 3,
    "sampling": 4,
    "project": 5,
    "oracle": 6, "phantom": 6, "loop": 6, "report": 6, "benchmark": 6, "offline": 6,
    "worklist": 6,
    "cli": 7, "__main__": 7,
}  # fmt: skip

# Imports between two homes of one floor: (who, whom), never both ways.
NEIGHBOURS = {
    ("keys", "errors"),
    ("files", "errors"),
    ("annotations", "cohort"),
    ("minutes", "cost"),
    ("loop", "oracle"),
    ("loop", "report"),
    ("benchmark", "loop"),
    ("benchmark", "report"),
    ("worklist", "report"),
    ("offline", "report"),
    ("__main__", "cli"),
}

# Who may import a foreign package. The faces' packages (slicer, qt, ctk, vtk) have no home here.
EVERYWHERE = frozenset(FLOORS)
HOMES = {
    "numpy": EVERYWHERE,
    "scipy": EVERYWHERE,
    "torch": {"model"},
    "monai": {"model"},
    "SimpleITK": {"cohort", "annotations"},
    "sklearn": {"uncertainty", "representativeness", "quality", "cost", "sampling"},
    "threadpoolctl": {"uncertainty", "representativeness", "quality", "cost", "sampling"},
    "matplotlib": {"report", "benchmark", "worklist"},
    "rich": {"progress", "cli"},
    "filelock": {"project"},
    "distributed": {"executors"},
    "fsspec": {"cohort"},
    "aiohttp": {"cohort"},
    "pyarrow": {"project", "benchmark"},
}

# Not loaded by `import activeseg` or by starting the command line.
HEAVY = {
    "torch", "monai", "sklearn", "SimpleITK", "matplotlib", "scipy", "rich", "distributed",
    "pyarrow", "fsspec",
}  # fmt: skip

# What a face does in Slicer's own process, a draft or an acceptance, needs these and no more.
LIGHT = {
    "activeseg.annotations",
    "activeseg.cohort",
    "activeseg.project",
    "activeseg.project.predictions",
}

FILE_LINES = 350
FUNCTION_LINES = 50
VAGUE = {"util", "utils", "manager", "helper", "helpers", "common"}


def engine_files() -> list[Path]:
    return sorted(ENGINE.rglob("*.py"))


def source_files() -> list[Path]:
    return sorted(MODULE.rglob("*.py"))


def name_of(path: Path) -> str:
    """`.../activeseg/cohort/images.py` -> `activeseg.cohort.images`."""
    parts = path.relative_to(ENGINE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def home_of(module: str) -> str:
    """`activeseg.cohort.images` -> `cohort`; the package itself is ''."""
    return [*module.split("."), ""][1]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imported(nodes: Iterator[ast.AST], path: Path, modules: set[str]) -> Iterator[tuple[str, int]]:
    """Names of the modules that import statements load, with their lines.

    `from a.b import c` names a.b.c where that is a module of ours, else a.b.
    """
    package = name_of(path) if path.name == "__init__.py" else name_of(path).rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield (whole if whole in modules else base), node.lineno


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported: no function bodies, no TYPE_CHECKING."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for alternative in child.orelse:
                yield alternative
                yield from at_import(alternative)
            continue
        yield child
        yield from at_import(child)


def floor_faults(path: Path, modules: set[str]) -> list[str]:
    """What is wrong with the imports of one engine file, one line each."""
    home = home_of(name_of(path))
    faults = []
    if home and home not in FLOORS:
        return [f"{path}: give {home} a floor in FLOORS"]
    for name, line in imported(ast.walk(parse(path)), path, modules):
        top, where = name.split(".")[0], f"{path}:{line}"
        if top == "activeseg":
            other = home_of(name)
            if not other or other == home:  # the package itself holds nothing but its version
                continue
            if other not in FLOORS:
                faults.append(f"{where}: give {other} a floor in FLOORS")
            elif (home, other) in NEIGHBOURS:
                continue
            elif not home or FLOORS[other] >= FLOORS[home]:
                faults.append(f"{where}: {home or 'activeseg'} imports {other}, not below it")
        elif top in HOMES:
            if home not in HOMES[top]:
                faults.append(f"{where}: {top} is at home in {sorted(HOMES[top])} alone")
        elif top not in sys.stdlib_module_names:
            faults.append(f"{where}: give {top} a home in HOMES, or do without it")
    return faults


def loaded_by(start: str, files: dict[str, Path]) -> set[str]:
    """All modules that importing `start` loads, ours followed, foreign ones by their top name."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in files:
            continue
        waiting.append(name.rpartition(".")[0] or name)  # importing a.b imports a
        found = imported(at_import(parse(files[name])), files[name], set(files))
        for other, _ in found:
            waiting.append(other if other in files else other.split(".")[0])
    return seen


def test_neighbours_share_a_floor_and_import_one_way():
    for who, whom in NEIGHBOURS:
        assert FLOORS[who] == FLOORS[whom]
        assert (whom, who) not in NEIGHBOURS


def test_each_file_imports_only_from_floors_below():
    modules = {name_of(path) for path in engine_files()}
    faults = [fault for path in engine_files() for fault in floor_faults(path, modules)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("start", ["activeseg", "activeseg.cli", "activeseg.__main__"])
def test_starting_reaches_no_heavy_import(start):
    files = {name_of(path): path for path in engine_files()}
    assert start in files
    assert not loaded_by(start, files) & HEAVY


def test_faces_leave_the_engine_beyond_the_process_border():
    """A face may name the engine's lowest floor and its light parts, and none of the others."""
    faults = []
    modules = {name_of(path) for path in engine_files()}
    for path in sorted((MODULE / "Widgets").rglob("*.py")):
        tree = parse(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            for name in names:
                heavy = name.split(".")[0] in HEAVY
                inside = name in modules - LIGHT and FLOORS.get(home_of(name), 0) > 0
                if heavy or inside:
                    faults.append(f"{path}:{node.lineno}: {name}")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("start", sorted(LIGHT))
def test_what_faces_import_reaches_no_heavy_import(start):
    files = {name_of(path): path for path in engine_files()}
    assert start in files
    assert not loaded_by(start, files) & HEAVY


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function, its docstring not counted."""
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_files_and_functions_are_short():
    faults = []
    for path in source_files():
        length = len(path.read_text("utf-8").splitlines())
        if length >= FILE_LINES:
            faults.append(f"{path}: {length} lines, the limit is {FILE_LINES - 1}")
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = lines_of(node)
                if lines >= FUNCTION_LINES:
                    faults.append(f"{path}:{node.lineno}: {node.name} has {lines} lines")
    assert not faults, "\n".join(faults)


def catches_everything(handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return True
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(ast.unparse(kind).split(".")[-1] in ("Exception", "BaseException") for kind in kinds)


def test_nothing_catches_every_exception():
    faults = [
        f"{path}:{node.lineno}"
        for path in source_files()
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ExceptHandler) and catches_everything(node)
    ]
    assert not faults, "\n".join(faults)


def words(name: str) -> set[str]:
    """`CohortManager` and `cohort_manager` -> {cohort, manager}."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def test_no_file_or_class_has_a_vague_name():
    faults = []
    for path in source_files():
        names = list(path.relative_to(MODULE).with_suffix("").parts)
        names += [node.name for node in ast.walk(parse(path)) if isinstance(node, ast.ClassDef)]
        faults += [f"{path}: {name}" for name in names if words(name) & VAGUE]
    assert not faults, "\n".join(faults)


def test_the_module_folder_holds_one_python_file():
    """Slicer takes every file there for a module, and a first line #! for a program."""
    assert [path.name for path in MODULE.glob("*.py")] == ["ActiveSeg.py"]
    assert not (MODULE / "Logic" / "__init__.py").exists()
    assert not (MODULE / "Widgets" / "__init__.py").exists()
    assert not (MODULE / "ActiveSeg.py").read_bytes().startswith(b"#!")


class TestTheRulesThemselves:
    """The checks above see what they should: a small engine with faults, written out."""

    @pytest.fixture
    def engine(self, tmp_path, monkeypatch):
        folder = tmp_path / "activeseg"
        for name, text in {
            "__init__.py": "",
            "errors.py": "import json\n",
            "keys.py": "from activeseg import errors\n",
            "progress.py": "from activeseg import errors\n",
            "gadgets.py": "",
            "cohort/__init__.py": "from .images import read\n",
            "cohort/images.py": "import numpy.linalg\ndef read():\n    import SimpleITK\n",
            "model/__init__.py": "import torch\nfrom activeseg.cohort import images\n",
            "sampling/__init__.py": "from activeseg import project\nimport torch\nimport pandas\n",
            "cli/__init__.py": "import typing\nif typing.TYPE_CHECKING:\n    import rich\n",
            "cli/slow.py": "from ..model import x\n",
            "project/__init__.py": "",
        }.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(sys.modules[__name__], "ENGINE", folder)
        return folder

    def faults(self, path: Path) -> list[str]:
        found = floor_faults(path, {name_of(file) for file in engine_files()})
        return [fault.rpartition(": ")[2] for fault in found]

    def test_allowed_imports_pass(self, engine):
        for name in (
            "errors.py",
            "keys.py",
            "cohort/__init__.py",
            "cohort/images.py",
            "model/__init__.py",
        ):
            assert self.faults(engine / name) == []
        assert self.faults(engine / "model" / "__init__.py") == []

    def test_an_import_on_the_same_floor_is_seen(self, engine):
        assert self.faults(engine / "progress.py") == ["progress imports errors, not below it"]

    def test_an_import_from_above_and_homeless_packages_are_seen(self, engine):
        assert self.faults(engine / "sampling" / "__init__.py") == [
            "sampling imports project, not below it",
            "torch is at home in ['model'] alone",
            "give pandas a home in HOMES, or do without it",
        ]

    def test_a_new_module_needs_a_floor(self, engine):
        assert self.faults(engine / "gadgets.py") == ["give gadgets a floor in FLOORS"]

    def test_what_an_import_loads(self, engine):
        files = {name_of(path): path for path in engine_files()}
        assert "rich" not in loaded_by("activeseg.cli", files)
        assert "SimpleITK" not in loaded_by("activeseg.cohort", files)
        assert "numpy" in loaded_by("activeseg.cohort", files)
        assert "torch" in loaded_by("activeseg.cli.slow", files)

    def test_docstrings_do_not_count(self):
        function = ast.parse('def f():\n    """One.\n\n    Two.\n    """\n    return 1\n').body[0]
        assert lines_of(function) == 2

    @pytest.mark.parametrize(
        ("text", "expected"),
        [("", True), (" Exception", True), (" (OSError, Exception)", True), (" OSError", False)],
    )
    def test_broad_handlers(self, text, expected):
        tree = ast.parse(f"try:\n    pass\nexcept{text}:\n    pass\n")
        assert catches_everything(tree.body[0].handlers[0]) is expected

    def test_words_of_names(self):
        assert words("CohortManager") == {"cohort", "manager"}
        assert words("file_utils") == {"file", "utils"}
        assert words("community") == {"community"}
