"""Starting a command costs little: what is heavy is loaded by the command that needs it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "monai", "sklearn", "SimpleITK", "matplotlib", "scipy", "rich", "pyarrow")


@pytest.mark.parametrize("module", ["activeseg", "activeseg.cli"])
def test_import_loads_nothing_heavy(module):
    code = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
