"""A desk without trame, for the tests of the door.

``python desk_stand_in.py NAME MODE FOLDER``: modes are ``usual``, ``slow``, ``refuses`` (a line and
code 2), ``dies`` (code 3, before it listens), ``tidy`` (takes a second to leave) and ``stubborn``
(does not heed the door, and has a child in a process group of its own). It notes in
``FOLDER/NAME`` what becomes of it.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
import time
from pathlib import Path

from aiohttp import WSMsgType, web

from activeseg_web.doorway import SECRET_VARIABLE, only_for, say, take_secret, when_door_goes

BIG = bytes(range(256)) * 12_000
SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def main(name: str, mode: str, folder: str) -> None:
    secret = take_secret()
    assert SECRET_VARIABLE not in os.environ
    if mode == "refuses":
        sys.stderr.write("activeseg: <the project> is gone\n")
        sys.exit(2)
    if mode == "dies":
        sys.exit(3)
    if mode == "slow":
        time.sleep(1.5)
    notes = Path(folder) / name
    pids = [os.getpid()]
    if mode == "stubborn":
        worker = subprocess.Popen(SLEEP, stdin=subprocess.DEVNULL, start_new_session=True)
        pids.append(worker.pid)
    note(notes, f"pids {' '.join(map(str, pids))}")
    asyncio.run(serve(name, secret, mode == "stubborn", notes))
    if mode == "tidy":
        time.sleep(1.0)
    note(notes, "left")


def note(notes: Path, text: str) -> None:
    with notes.open("a") as file:
        file.write(f"{text}\n")


async def serve(name: str, secret: str, stubborn: bool, notes: Path) -> None:
    application = web.Application(middlewares=[only_for(secret)])
    application["name"] = name
    application.add_routes(
        [
            web.get("/", root),
            web.get("/index.html", page),
            web.get("/echo{rest:.*}", echo),
            web.get("/absolute", absolute),
            web.get("/big", big),
            web.get("/packed", packed),
            web.get("/busy/{yes}", busy),
            web.get("/crash", crash),
            web.get("/ws", socket),
        ]
    )
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gone = asyncio.Event()
    if not stubborn:
        when_door_goes(gone.set)
    sys.stdout.write('a line that is no JSON\n{"other": 1}\n[]\n')
    port = runner.addresses[0][1]
    note(notes, f"port {port}")
    say(port=port)
    await gone.wait()
    await runner.cleanup()


async def root(_request):
    raise web.HTTPFound("index.html")


async def page(request):
    response = web.Response(
        text=f"<title>desk of {request.app['name']}</title>", content_type="text/html"
    )
    response.set_cookie("desk", "1")
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


async def echo(request):
    return web.json_response({"path": request.raw_path, "headers": dict(request.headers)})


async def absolute(_request):
    return web.Response(status=302, headers={"Location": "/index.html"})


async def big(_request):
    return web.Response(body=BIG, headers={"ETag": '"1"', "Cache-Control": "max-age=60"})


async def packed(_request):
    body = gzip.compress(b"packed")
    return web.Response(body=body, headers={"Content-Encoding": "gzip"}, content_type="text/plain")


async def busy(request):
    say(busy=request.match_info["yes"] == "yes")
    return web.Response()


async def crash(_request):
    os._exit(7)


async def socket(request):
    response = web.WebSocketResponse(protocols=["slices"], max_msg_size=0)
    await response.prepare(request)
    async for message in response:
        if message.data == "headers":
            await response.send_json(dict(request.headers))
        elif message.data == "close":
            await response.close(code=3999, message=b"enough")
        elif message.type is WSMsgType.TEXT:
            await response.send_str(message.data)
        else:
            await response.send_bytes(message.data)
    return response


if __name__ == "__main__":
    main(*sys.argv[1:])
