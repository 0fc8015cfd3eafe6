"""One person's desk: ``python -m activeseg_web.desk PROJECT --author NAME``.

A process with Slicer's scene, views and editor, and the page that shows them, on a free port of
127.0.0.1 for the door alone (`activeseg_web.doorway`). It ends when the door lets it go or a
signal asks it to, and leaves the strokes as a draft.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activeseg.project import Project
from activeseg_web.complaints import hear_complaints
from activeseg_web.doorway import only_for, say, take_secret, when_door_goes
from activeseg_web.exits import exit_code

if TYPE_CHECKING:
    from activeseg_web.work import Work

__all__ = ["main"]

_ACTIONS = (
    *("accept", "nothing_here", "skip", "back", "undo_answer", "open", "next"),
    *("undo", "redo", "use", "choose", "choose_nth", "grow", "brush", "opacity"),
    *("way", "doubt", "space", "home", "suggest", "cancel", "automatic"),
    *("sign", "behind", "close_notice", "close_error"),
)
"""What a page may ask for: methods of `Work`."""

_POLL_S = 0.25
_SAVE_S = 2.0
_LOOK_S = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Be a desk until the door lets it go.

    Args:
        argv: The words after the program's name; None for those of the process.

    Returns:
        The exit code: 0, or 2 if the user must mend something.
    """
    arguments = _parser().parse_args(argv)
    hear_complaints()

    def work() -> None:
        secret = take_secret()
        asyncio.run(_serve(Project.open(arguments.project), arguments, secret))

    return exit_code(work)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m activeseg_web.desk")
    parser.add_argument("project", type=Path)
    parser.add_argument("--author", required=True)
    parser.add_argument("--steps", type=int, help="training steps of a round")
    return parser


async def _serve(project: Project, arguments: argparse.Namespace, secret: str) -> None:
    # trame reads the process's own words otherwise.
    os.environ["TRAME_ARGS"] = "--server"
    from trame.app import get_server

    stop = asyncio.Event()
    _stop_on_signals(stop.set)
    when_door_goes(stop.set)
    server = get_server("activeseg", client_type="vue3")
    work = _furnish(server, project, arguments, secret)
    serving = asyncio.ensure_future(_listen(server))
    await server.ready
    timers = asyncio.gather(
        _again(server, _POLL_S, work.poll),
        _again(server, _SAVE_S, work.autosave),
        _again(server, _LOOK_S, work.look_around),
    )
    say(port=server.port)
    with server.state:
        work.begin()
    try:
        await _first(stop.wait(), serving, timers)
    finally:
        work.close()
        for task in (timers, serving):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _furnish(server: Any, project: Project, arguments: argparse.Namespace, secret: str) -> Work:
    """Give a server the page, what the page may ask for, and the check of who asks."""
    from activeseg_web.document import add_document
    from activeseg_web.page import build_page
    from activeseg_web.presence import Presence
    from activeseg_web.work import Work

    work = Work(
        project, arguments.author, server, arguments.steps, on_busy=lambda busy: say(busy=busy)
    )
    for name in _ACTIONS:
        server.trigger(name)(getattr(work, name))
    build_page(server)

    def seen(present: bool) -> None:
        with server.state:
            work.behind(not present)

    server.add_protocol_to_configure(lambda root: root.registerLinkProtocol(Presence(seen)))

    def guard(listening: Any) -> None:
        listening.app.middlewares.append(only_for(secret))
        add_document(listening.app)

    server.controller.on_server_bind.add(guard)
    return work


def _listen(server: Any) -> Any:
    return server.start(
        port=0,
        host="127.0.0.1",
        exec_mode="coroutine",
        thread=True,  # signals are handled here
        open_browser=False,
        show_connection_info=False,
        timeout=0,  # the door says when to end
    )


async def _again(server: Any, seconds: float, call: Callable[[], None]) -> None:
    """Call something again and again, and let the page know what it changed."""
    while True:
        await asyncio.sleep(seconds)
        with server.state:
            call()


async def _first(*waiting: Any) -> None:
    """Wait until one of several ends; raise what it raised."""
    tasks = [asyncio.ensure_future(each) for each in waiting]
    done, _others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _stop_on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):  # Windows: the door closes the pipe
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop)


if __name__ == "__main__":
    sys.exit(main())
