"""``doctor``: what this installation has and what it lacks."""

from __future__ import annotations

import os
import platform
import sys
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from activeseg import __version__
from activeseg.cli.output import print_json

__all__ = ["doctor"]

NEEDED = ("torch", "monai", "SimpleITK", "numpy", "scipy", "scikit-learn", "rich", "matplotlib")
OPTIONAL = {
    "trame-slicer": "the browser workbench: pip install -e '.[workbench]'",
    "dask": "many machines: pip install -e '.[cluster]'",
    "highdicom": "DICOM SEG: pip install -e '.[dicom]'",
}


def doctor(arguments: Namespace) -> int:
    """Print versions, device and what is missing; 2 when something needed is."""
    found = _findings()
    if arguments.json:
        print_json(found)
    else:
        _print(found)
    return 2 if found["missing"] else 0


def _findings() -> dict[str, Any]:
    """What a program reads."""
    packages = {name: _version(name) for name in NEEDED}
    missing = [name for name, number in packages.items() if number is None]
    device = None
    if packages["torch"] is not None:
        from activeseg.model.network import device_name

        device = device_name()
    return {
        "activeseg": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": os.environ["OMP_NUM_THREADS"],
        "device": device,
        "packages": packages,
        "optional": {name: _version(name) for name in OPTIONAL},
        # slicer-core, which the workbench brings, has a package of that name too.
        "in_slicer": find_spec("slicer") is not None and find_spec("slicer_core") is None,
        "missing": missing,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _print(found: dict[str, Any]) -> None:
    """What a person reads."""
    print(f"activeseg {found['activeseg']}, Python {found['python']} ({found['platform']})")
    print(f"{found['cores']} cores, {found['threads']} threads a process, device {found['device']}")
    for name, number in found["packages"].items():
        print(f"  {name:<14} {number or 'MISSING'}")
    for name, number in found["optional"].items():
        print(f"  {name:<14} {number or 'not installed (' + OPTIONAL[name] + ')'}")
    print("inside 3D Slicer" if found["in_slicer"] else "outside 3D Slicer")
    if found["missing"]:
        names = " ".join(found["missing"])
        print(f"activeseg: packages are missing; run: pip install {names}", file=sys.stderr)
    else:
        print("everything needed is here")
