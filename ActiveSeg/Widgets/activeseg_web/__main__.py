"""``python -m activeseg_web PROJECT``: the workbench until Ctrl-C; what ``activeseg`` starts."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from activeseg.errors import ActiveSegError
from activeseg_web.exits import exit_code

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the workbench of one project.

    Args:
        argv: The words after the program's name; None for those of the process.

    Returns:
        The exit code: 0 after Ctrl-C, 2 if the user must mend something.
    """
    arguments = _parser().parse_args(argv)
    return exit_code(lambda: _run(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m activeseg_web")
    parser.add_argument("project", type=Path)
    parser.add_argument("--author", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--no-browser", action="store_true")
    return parser


def _run(arguments: argparse.Namespace) -> None:
    """Serve until Ctrl-C.

    Raises:
        ActiveSegError: If a package is missing, or what `Door.open` raises.
    """
    if find_spec("trame_slicer") is None or find_spec("aiohttp") is None:
        raise ActiveSegError(
            "the workbench needs trame-slicer, which is not installed; "
            'run: pip install "activeseg[workbench]"'
        )
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    from activeseg_web.door import Door

    project = arguments.project.resolve()

    def command(name: str) -> list[str]:
        # One word, so that no name is taken for an option.
        return [sys.executable, "-m", "activeseg_web.desk", str(project), f"--author={name}"]

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # Windows: Ctrl-C then ends asyncio.run
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    door = Door(command, arguments.author, report=arguments.report)
    try:
        address = await door.open(arguments.host, arguments.port)
        _tell(f"open {address.url} (Ctrl-C ends)")
        if address.token is not None:
            _tell(
                f"It listens on {address.host}: whoever has this address can see and annotate "
                "the images, and the connection is not encrypted."
            )
        elif not arguments.no_browser and _has_screen():
            await asyncio.to_thread(webbrowser.open, address.url)
        await stop.wait()
    finally:
        await door.close()


def _has_screen() -> bool:
    """Whether a browser would open a window, and not fill the terminal."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
