"""peer.py on asyncio, as far as test_behaviours.py asks: a server, or a client with one command a line."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

import leat
import leat.aio
from aio_behaviours import Serving, run_case  # type: ignore[import-not-found]


def answer(value: object) -> None:
    print(json.dumps(value), flush=True)


async def serve(urls: list[str]) -> None:
    cases = Serving()
    async with leat.aio.serve([cases], *urls) as server:
        answer(server.urls)
        while await asyncio.to_thread(sys.stdin.readline):
            answer({"running": cases.running})


async def run_client(url: str) -> None:
    async with leat.aio.connect(url) as peer:
        answer({"transport": peer.transport})
        while line := await asyncio.to_thread(sys.stdin.readline):
            fields = {}
            try:
                await run_case(peer, line.split()[1])
            except (AssertionError, OSError, leat.RemoteError) as error:
                fields = {"wrong": f"{type(error).__name__}: {error}"}
            answer(fields)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("urls", nargs="+")
    options = parser.parse_args()
    asyncio.run(serve(options.urls) if options.role == "server" else run_client(options.urls[0]))
