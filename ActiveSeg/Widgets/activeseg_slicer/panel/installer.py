"""Packages that the engine needs beside what Slicer brings: installed when needed, with consent.

Nothing is installed or imported when the module is loaded. numpy and SimpleITK are Slicer's own
and are never replaced; torch comes through the PyTorch extension where that is there.
"""

from __future__ import annotations

import importlib
import re
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

import slicer.util

from activeseg.errors import ActiveSegError, Cancelled, ModelError
from activeseg_slicer.panel.i18n import _

__all__ = ["TORCH", "Installer"]

TORCH = "torch>=2.4"

_LINE = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*>=\s*(?P<least>[0-9.]+)")

_NEVER_REPLACED = ("numpy", "SimpleITK", "torch")


class Installer:
    """Looks for the packages and installs those that are missing.

    Args:
        requirements: ``requirements.txt`` of the module's resources; one ``name>=version`` a line.
    """

    def __init__(self, requirements: Path) -> None:
        self._file = requirements

    def missing(self) -> list[str]:
        """The requirements that the running Python does not meet, torch first."""
        lines = self._file.read_text("utf-8").splitlines()
        wanted = [TORCH, *(line for line in lines if line and not line.startswith("#"))]
        return [line for line in wanted if not _is_met(line)]

    def ensure(self) -> None:
        """Install what is missing, after asking.

        Raises:
            Cancelled: If the user says no. ModelError: If the installation fails.
        """
        missing = self.missing()
        if not missing:
            return
        _ask(missing)
        try:
            if TORCH in missing and _install_torch():
                missing.remove(TORCH)
            if missing:
                _install(missing)
        except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
            last = str(error).strip().splitlines()[-1:] or [type(error).__name__]
            raise ModelError(
                _("The packages could not be installed ({error}).").format(error=last[0])
            ) from error
        still = self.missing()
        if still:
            raise ModelError(
                _("Still missing after installing: {names}; restart Slicer and try again.").format(
                    names=", ".join(still)
                )
            )


def _is_met(line: str) -> bool:
    """Whether the installed version of a package is new enough."""
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise ActiveSegError(f"requirements.txt: '{line}' is not of the kind name>=version")
    try:
        have = version(found["name"])
    except PackageNotFoundError:
        return False
    return _numbers(have) >= _numbers(found["least"])


def _numbers(text: str) -> tuple[int, ...]:
    """The release of a version: ``2.4.1+cu121`` -> (2, 4, 1)."""
    release = re.match(r"[0-9]+(\.[0-9]+)*", text)
    return tuple(int(part) for part in release[0].split(".")) if release else ()


def _ask(missing: Sequence[str]) -> None:
    """Let the user decide.

    Raises:
        Cancelled: If the user says no.
    """
    text = _(
        "ActiveSeg needs packages that Slicer does not bring: {names}.\n\n"
        "They are downloaded and installed into Slicer's Python; this takes some minutes."
    ).format(names=", ".join(missing))
    if not slicer.util.confirmOkCancelDisplay(text, windowTitle=_("Install packages")):
        raise Cancelled(_("Not installed; the computation needs these packages."))


def _install_torch() -> bool:
    """Let the PyTorch extension choose the build that fits the graphics card; False without it."""
    try:
        from PyTorchUtils import PyTorchUtilsLogic  # type: ignore[import-not-found]
    except ImportError:
        return False
    if (
        PyTorchUtilsLogic().installTorch(torchVersionRequirement=TORCH.removeprefix("torch"))
        is None
    ):
        raise RuntimeError(_("the PyTorch extension installed nothing"))
    return True


def _install(requirements: Sequence[str]) -> None:
    """Install through Slicer's own tools; what is already there keeps its version."""
    with tempfile.TemporaryDirectory() as folder:
        held = Path(folder) / "constraints.txt"
        held.write_text("\n".join(_held_versions()) + "\n", "utf-8")
        tools = _dependency_tools()
        if tools is None:  # before 5.11
            slicer.util.pip_install(["-c", str(held), *requirements])
            return
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text("\n".join(requirements) + "\n", "utf-8")
        tools.pip_ensure(
            tools.load_requirements(str(wanted)),
            constraints=str(held),
            requester="ActiveSeg",
            prompt_install=False,  # asked already, once for all
        )


def _held_versions() -> list[str]:
    """The packages that pip must leave alone, as constraints."""
    held = []
    for name in _NEVER_REPLACED:
        try:
            held.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return held


def _dependency_tools() -> ModuleType | None:
    """Slicer's tools for packages, under either of the names that they have had; None without."""
    for name in ("slicer.pydeps", "slicer.packaging"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
    return None
