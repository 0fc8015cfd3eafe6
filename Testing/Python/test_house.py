"""The house: packaging, pins, the catalogue and the Makefile say the same things."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(lines: list[str]) -> set[str]:
    """The packages that requirement lines name: `dask[distributed]>=1; x` -> dask."""
    bare = (line.partition("#")[0].strip() for line in lines)
    return {canonical(re.split(r"[\s<>=!~;\[]", line)[0]) for line in bare if line}


def read_lines(name: str) -> list[str]:
    return (ROOT / name).read_text("utf-8").splitlines()


def array(name: str) -> list[str]:
    """An array of strings in pyproject.toml, without a TOML reader (3.10 has none)."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    found = re.search(rf"^{name} = (\[.*?\])$", text, re.MULTILINE | re.DOTALL)
    assert found, f"pyproject.toml has no array {name}"
    return ast.literal_eval(found[1])


def test_all_that_make_installs_is_pinned():
    pinned = names(read_lines("constraints.txt"))
    assert names(array("dependencies") + array("test")) <= pinned


def test_each_pin_is_exact_and_holds_for_each_python():
    """One line a package, two that part at 3.11, or one for 3.10 alone."""
    markers: dict[str, list[str]] = {}
    for line in read_lines("constraints.txt"):
        if not line or line.startswith("#"):
            continue
        found = re.fullmatch(r'([\w.-]+)==[\w.+]+(?:; python_version (>=|<) "3\.11")?', line)
        assert found, line
        markers.setdefault(canonical(found[1]), []).append(found[2])
    allowed = (["None"], ["<", ">="], ["<"])
    assert all(sorted(map(str, found)) in allowed for found in markers.values()), markers


def test_the_catalogue_entry():
    entry = json.loads((ROOT / "ActiveSeg.json").read_text("utf-8"))
    assert {"$schema", "category", "scm_url"} <= entry.keys()
    assert entry["scm_url"].endswith("/SlicerActiveSeg.git")


@pytest.mark.parametrize("path", ["Resources", "ActiveSeg/Resources/Icons"])
def test_icons_are_128_pixels_square(path):
    header = (ROOT / path / "ActiveSeg.png").read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", header[16:24]) == (128, 128)


def test_the_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
class TestMakefile:
    """The Makefile in an empty folder, with a Python that only pretends."""

    @pytest.fixture
    def folder(self, tmp_path):
        for name in ("Makefile", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, tmp_path)
        return tmp_path

    def make(self, folder, *arguments, path=None):
        environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "PYTHON")}
        return subprocess.run(
            ["make", *arguments],
            cwd=folder,
            env={**environment, **({"PATH": path} if path else {})},
            capture_output=True,
            text=True,
            check=False,
        )

    def fake_python(self, folder: Path, name: str, code: str) -> Path:
        """An executable that answers as `code` (sh) says."""
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(f"#!/bin/sh\n{code}\n")
        path.chmod(0o755)
        return path

    def test_no_usable_python_is_one_clear_line(self, folder):
        shim = self.fake_python(folder / "bin", "python3", "echo command not found >&2; exit 127")
        done = self.make(folder, "test", f"PYTHON={shim}")
        assert done.returncode != 0
        lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
        assert len(lines) == 1
        assert lines[0].startswith(f"No usable Python: tried {shim}, need 3.10 to 3.13")
        assert not (folder / ".venv").exists()

    def test_a_broken_shim_is_passed_over(self, folder):
        """The first candidate fails, the second is taken."""
        tools = folder / "bin"
        self.fake_python(tools, "python3", "exit 127")
        log = folder / "log"
        self.fake_python(
            tools,
            "python3.13",
            f'echo "$@" >> {log}\n'
            'if [ "$1 $2" = "-m venv" ]; then\n'
            '  mkdir -p .venv/bin && cp "$0" .venv/bin/python\n'
            "fi",
        )
        done = self.make(folder, "test", "ARGS=-k one", path=f"{tools}:/usr/bin:/bin")
        assert done.returncode == 0, done.stderr
        calls = log.read_text().splitlines()
        assert "-m venv --clear .venv" in calls
        assert calls[-1] == "-m pytest -n 2 --dist loadfile -k one"
        installs = [call for call in calls if call.startswith("-m pip install")]
        assert all("-c constraints.txt" in call for call in installs)
        assert installs[-1].endswith("-e .[test]")

        # A second call installs nothing; changed pins install again.
        log.unlink()
        self.make(folder, "demo", "ARGS=--no-serve", path=f"{tools}:/usr/bin:/bin")
        assert log.read_text().splitlines() == ["-m activeseg demo --no-serve"]
        stamp = (folder / ".venv" / ".installed").stat().st_mtime
        os.utime(folder / "constraints.txt", (stamp + 10, stamp + 10))
        log.unlink()
        self.make(folder, "demo", path=f"{tools}:/usr/bin:/bin")
        assert any(call.startswith("-m pip install") for call in log.read_text().splitlines())

    def test_a_failed_install_is_tried_again(self, folder):
        tools = folder / "bin"
        python = self.fake_python(
            tools,
            "python3",
            'case "$1 $2" in\n'
            '"-m venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python;;\n'
            '"-m pip") exit 1;;\n'
            "esac",
        )
        assert self.make(folder, "test", f"PYTHON={python}").returncode != 0
        assert not (folder / ".venv" / ".installed").exists()

    def test_help_names_each_target(self, folder):
        done = self.make(folder, "help")
        assert done.returncode == 0
        for target in ("demo", "test", "lint", "types", "package", "clean"):
            assert f"make {target}" in done.stdout


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_the_ci_script_is_valid_bash():
    done = subprocess.run(
        ["bash", "-n", ROOT / ".ci" / "run"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_make_and_pip_accept_the_same_pythons():
    pyproject = (ROOT / "pyproject.toml").read_text("utf-8")
    low, beyond = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', pyproject).groups()
    probe = re.search(
        r"\(3, (\d+)\) <= sys.version_info\[:2\] <= \(3, (\d+)\)", (ROOT / "Makefile").read_text()
    )
    assert probe.groups() == (low, str(int(beyond) - 1))
