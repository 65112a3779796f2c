"""hypha-rpc with a hypha server between the two peers, as its documentation has it: a service that is registered
there, and a client that gets it from there. What is measured therefore travels through the server."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import contestant
import numpy as np
from contestant import Options
from hypha_rpc import connect_to_server

PATIENCE = 50.0  # seconds


async def start_hypha() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "hypha.server", "--host", "127.0.0.1", "--port", str(port)]
    subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(int(PATIENCE / 0.2)):
        await asyncio.sleep(0.2)
        try:
            urllib.request.urlopen(f"{url}/health/readiness", timeout=1).read()
        except (urllib.error.URLError, OSError):
            continue
        return url
    sys.exit(f"the hypha server did not start within {PATIENCE:.0f} s")


async def run_server(options: Options) -> None:
    url = await start_hypha()
    server = await connect_to_server({"server_url": url})

    def echo(value: Any) -> Any:
        return options.spoilt(value) if isinstance(value, bytes) else value

    service = await server.register_service({"id": "echo", "config": {"visibility": "public"}, "echo": echo})
    contestant.announce(f"{url} {service['id']}")
    await asyncio.Event().wait()


async def client(options: Options) -> None:
    url, name = options.address.split()
    server = await connect_to_server({"server_url": url})
    service = await server.get_service(name)
    if options.work == "array":

        async def call(large: np.ndarray[Any, Any]) -> Any:
            return await service.echo(large)

        await contestant.measure_array_async(options, call)
    else:
        await contestant.measure_async(options, service.echo)
    await server.disconnect()


def run(options: Options) -> None:
    asyncio.run(client(options))


if __name__ == "__main__":
    contestant.main(lambda options: asyncio.run(run_server(options)), dict.fromkeys(("unary", "calls", "array"), run))
