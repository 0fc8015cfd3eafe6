"""The extension's CMake files: everything under ActiveSeg/ lands in the module folder.

Configured, built and installed against the stand-in for Slicer's package in Testing/CMake.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    not (shutil.which("cmake") and shutil.which("c++") and shutil.which("make")),
    reason="needs cmake, a C++ compiler (project() asks for one) and make",
)

INSTALLED = "lib/Slicer-5.12/qt-scripted-modules"


def cmake(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["cmake", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def configure(source: Path, build: Path, *more: str) -> subprocess.CompletedProcess[str]:
    fake = source / "Testing" / "CMake"
    return cmake(
        "-S", source, "-B", build, "-G", "Unix Makefiles", f"-DSlicer_DIR={fake}", "-Wdev", *more
    )  # fmt: skip


def registered(build: Path) -> list[dict]:
    """The tests that CTest knows of in a build tree."""
    done = subprocess.run(
        ["ctest", "--test-dir", str(build), "--show-only=json-v1"],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)["tests"]


def wanted(source: Path) -> set[str]:
    """Every file below ActiveSeg/ that a running module may load."""
    return {
        str(path.relative_to(source / "ActiveSeg"))
        for path in (source / "ActiveSeg").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name != "CMakeLists.txt"
    }


def found(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what CMake reads, free to change."""
    root = Path(__file__).resolve().parents[2]
    copy = tmp_path_factory.mktemp("extension") / "source"
    copy.mkdir()
    shutil.copy(root / "CMakeLists.txt", copy)
    shutil.copytree(root / "ActiveSeg", copy / "ActiveSeg")
    for name in ("CMake", "Slicer"):
        shutil.copytree(root / "Testing" / name, copy / "Testing" / name)
    return copy


@pytest.fixture(scope="module")
def build(source: Path) -> Path:
    build = source.parent / "build"
    done = configure(source, build)
    assert done.returncode == 0, done.stderr
    return build


def test_every_file_is_installed(source, build, tmp_path):
    done = cmake("--build", build)
    assert done.returncode == 0, done.stderr
    done = cmake("--install", build, "--prefix", tmp_path)
    assert done.returncode == 0, done.stderr
    assert found(tmp_path / INSTALLED) == wanted(source)
    assert {
        "ActiveSeg.py",
        "Logic/activeseg/errors.py",
        "Logic/activeseg/report/style.css",
        "Resources/Icons/ActiveSeg.png",
        "Resources/UI/ActiveSeg.ui",
        "Resources/requirements.txt",
        "Widgets/activeseg_slicer/panel/panel.py",
        "Widgets/activeseg_slicer/scene/desk.py",
    } <= found(tmp_path / INSTALLED)


def test_without_testing_no_test_is_registered(build):
    assert registered(build) == []


def test_with_testing_slicer_runs_the_file_on_the_modules_that_were_built(source, tmp_path):
    build = tmp_path / "build"
    done = configure(source, build, "-DBUILD_TESTING=ON")
    assert done.returncode == 0, done.stderr
    (test,) = registered(build)
    assert test["name"] == "py_ActiveSegInSlicerTest"
    words = test["command"]
    assert words[words.index("--additional-module-paths") + 1] == str(build / INSTALLED)
    code = words[words.index("--python-code") + 1]
    folder = source / "Testing" / "Slicer"
    assert f"'{folder}'], 'ActiveSegInSlicerTest')" in code
    assert (folder / "ActiveSegInSlicerTest.py").is_file()
    compile(code, "python-code", "exec")
    # What tests are is no part of what users install.
    done = cmake("--build", build)
    assert done.returncode == 0, done.stderr
    assert "Testing" not in "".join(found(build / INSTALLED))


def test_a_new_file_needs_no_line_in_cmake(source, build):
    new = source / "ActiveSeg" / "Logic" / "activeseg" / "later" / "new.py"
    new.parent.mkdir()
    new.write_text('"""New."""\n')
    done = cmake("--build", build)
    assert done.returncode == 0, done.stderr
    assert (build / INSTALLED / "Logic" / "activeseg" / "later" / "new.py").is_file()


def test_the_catalogue_fields_reach_the_description(build, root):
    fields = dict(
        line.split(" ", 1) for line in (build / "ActiveSeg.s4ext").read_text("utf-8").splitlines()
    )
    assert fields["depends"] == "PyTorch"
    for field, path in (
        ("iconurl", "Resources/ActiveSeg.png"),
        ("screenshoturls", "Resources/Screenshots/slicer.png"),
    ):
        assert fields[field].endswith(f"/main/{path}")
        assert (root / path).is_file()
    entry = json.loads((root / "ActiveSeg.json").read_text("utf-8"))
    assert fields["category"] == entry["category"]
    assert fields["homepage"] + ".git" == entry["scm_url"]


def test_the_stand_in_refuses_a_missing_file(source, tmp_path):
    broken = tmp_path / "source"
    shutil.copytree(source, broken)
    (broken / "ActiveSeg" / "ActiveSeg.py").unlink()
    done = configure(broken, tmp_path / "build")
    assert done.returncode != 0
    assert "no file" in done.stderr


def test_the_stand_in_refuses_a_test_that_is_not_there(source, tmp_path):
    broken = tmp_path / "source"
    shutil.copytree(source, broken)
    (broken / "Testing" / "Slicer" / "ActiveSegInSlicerTest.py").unlink()
    done = configure(broken, tmp_path / "build", "-DBUILD_TESTING=ON")
    assert done.returncode != 0
    assert "no file" in done.stderr


def test_the_stand_in_refuses_an_unknown_keyword(source, tmp_path):
    broken = tmp_path / "source"
    shutil.copytree(source, broken)
    lists = broken / "ActiveSeg" / "CMakeLists.txt"
    lists.write_text(lists.read_text().replace("NAME ${MODULE_NAME}", "TITLE x NAME y"))
    done = configure(broken, tmp_path / "build")
    assert done.returncode != 0
    assert "unknown TITLE" in done.stderr
