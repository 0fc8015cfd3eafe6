"""``workbench``: the same loop in a browser, beyond the process border as every face."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

__all__ = ["serve_workbench", "workbench"]


def workbench(arguments: Namespace) -> int:
    """Serve a project's workbench until Ctrl-C."""
    from activeseg.project import Project

    options = [f"--host={arguments.host}"]
    if arguments.port is not None:
        options.append(f"--port={arguments.port}")
    if arguments.no_browser:
        options.append("--no-browser")
    return serve_workbench(Project.open(arguments.project).folder, arguments.author, options)


def serve_workbench(project: Path, author: str, options: list[str]) -> int:
    """Run ``python -m activeseg_web``, which prints the address to open.

    Args:
        project: The project folder, absolute.
        author: Who is given the first desk.
        options: What follows on that command's line, e.g. ``--report=FILE``.

    Returns:
        Its exit code: 0 after Ctrl-C or a request to end, 2 when the user must mend something,
        such as install the extra.
    """
    command = [sys.executable, "-m", "activeseg_web", str(project), f"--author={author}", *options]
    face = subprocess.Popen(command)
    try:
        return face.wait()
    except KeyboardInterrupt:
        # Ctrl-C has reached both processes, a request to end this one alone.
        face.terminate()
        return face.wait()
