"""peer.cc in Python: a server or a client that a test drives with one command a line."""

from __future__ import annotations

import argparse
import collections
import json
import logging
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import behaviours  # type: ignore[import-not-found]
import leat
import numpy as np

interop: Any = leat.load_schema(Path(__file__).with_name("interop.fbs"))

FACTOR = np.uint64(0x9E3779B97F4A7C15)
CHUNK = 1 << 17  # words made at a time


def answer(value: object) -> None:
    print(json.dumps(value), flush=True)


def mix(seed: int, i: int) -> int:
    return (seed + i) * int(FACTOR) % 2**64


def make_array(rows: int, columns: int, seed: int) -> tuple[Any, int]:
    array = np.empty((rows, columns), np.uint16)
    words = array.reshape(-1).view(np.uint64)
    for at in range(0, len(words), CHUNK):
        part = words[at : at + CHUNK]
        np.multiply(np.arange(seed + at, seed + at + len(part), dtype=np.uint64), FACTOR, out=part)
    return array, zlib.crc32(array.data)


class Serving(interop.InteropService):  # type: ignore[misc]
    def __init__(self) -> None:
        self._array: Any = None
        self._crc = 0

    def add(self, request: Any) -> Any:
        return interop.AddReply(sum=request.a + request.b, text=request.text)

    def count(self, request: Any) -> Any:
        for i in range(request.count):
            yield interop.Item(index=i, value=mix(request.seed, i), text=str(i))

    def put(self, request: Any) -> Any:
        return interop.Checksum(crc=zlib.crc32(request.values), bytes=request.values.nbytes)

    def prepare(self, request: Any) -> Any:
        self._array = None
        self._array, self._crc = make_array(request.rows, request.columns, request.seed)
        self._array.setflags(write=False)
        return interop.Checksum(crc=self._crc, bytes=self._array.nbytes)

    def get(self, request: Any) -> Any:
        if self._array is None:
            raise RuntimeError("call Prepare before Get")
        return interop.Array(crc=self._crc, values=self._array)  # read-only, so it is shared and not copied

    def drop(self, request: Any) -> Any:
        self._array = None

    def hang(self, request: Any) -> Any:
        time.sleep(60)

    def fail(self, request: Any) -> Any:
        raise RuntimeError("the shutter is stuck")


def serve(urls: list[str]) -> int:
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s: %(message)s", stream=sys.stderr)
    try:
        cases = behaviours.Serving()
        server = leat.serve([Serving(), cases], *urls)
    except OSError as error:
        print(error, file=sys.stderr)
        return 1
    answer(server.urls)
    for line in sys.stdin:
        if line.strip() == "running":
            answer({"running": cases.running})
            continue
        if line.strip() != "stats":
            return 2
        answer(server.stats())
    server.close()
    return 0


class Driven:
    def __init__(self, peer: leat.Peer) -> None:
        self._peer = peer
        self._service = peer.service(interop.Interop)
        self._array: Any = None
        self._crc = 0
        self._expected: Any = None

    def behaviour(self, name: str) -> None:
        behaviours.run_case(self._peer, name)

    def unary(self, count: int) -> None:
        for i in range(count):
            text = f"call {i}"
            reply = self._service.add(a=i, b=-2 * i, text=text)
            assert (reply.sum, reply.text) == (-i, text), reply

    def stream(self, count: int) -> None:
        came = 0
        for i, item in enumerate(self._service.count(count=count, seed=5)):
            assert (item.index, item.value, item.text) == (i, mix(5, i), str(i)), item
            came += 1
        assert came == count, f"{came} of {count} items came"

    def prepare(self, rows: int, columns: int, seed: int) -> None:
        self._array, self._crc = make_array(rows, columns, seed)

    def put(self) -> None:
        checksum = self._service.put(crc=self._crc, values=self._array)
        assert (checksum.crc, checksum.bytes) == (self._crc, self._array.nbytes), checksum

    def drop(self) -> None:
        self._array = None

    def prepare_server(self, rows: int, columns: int, seed: int) -> None:
        self._expected = self._service.prepare(rows=rows, columns=columns, seed=seed)

    def get(self) -> None:
        array = self._service.get()
        crc = zlib.crc32(array.values)
        assert crc == self._expected.crc == array.crc, (crc, array.crc)
        assert array.values.nbytes == self._expected.bytes

    def drop_server(self) -> None:
        self._service.drop()

    def fail(self) -> dict[str, Any]:
        try:
            self._service.fail()
        except leat.RemoteError as error:
            return {"error": f"{error.code}: {error}"}
        raise AssertionError("Fail did not fail")

    def pending(self, count: int) -> dict[str, Any]:
        codes: collections.Counter[str] = collections.Counter()
        last = 0.0
        example = ""
        lock = threading.Lock()
        begun = threading.Semaphore(0)

        def wait(timeout: float | None) -> None:
            nonlocal last, example
            begun.release()
            try:
                self._service.hang(timeout=timeout)
                code = "ok"
            except leat.RemoteError as error:
                code, example = error.code, f"{error.code}: {error}"
            with lock:
                codes[code] += 1
                last = time.monotonic()

        threads = [threading.Thread(target=wait, args=(60 if i % 2 else None,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for _ in threads:
            begun.acquire()
        answer({})
        for thread in threads:
            thread.join()
        return {"codes": dict(codes), "last": last, "example": example}


def run_client(url: str) -> int:
    began = time.monotonic()
    try:
        peer = leat.connect(url)
    except (OSError, leat.RemoteError) as error:
        code = getattr(error, "code", type(error).__name__)
        answer({"error": f"{code}: {error}", "seconds": time.monotonic() - began})
        return 1
    answer({"transport": peer.transport})
    driven = Driven(peer)
    for line in sys.stdin:
        verb, *words = line.split()
        command: Callable[..., dict[str, Any] | None] = getattr(driven, verb)
        start = time.monotonic()
        try:
            fields = command(*(int(word) if word.isdigit() else word for word in words)) or {}
        except (AssertionError, OSError, leat.RemoteError) as error:
            fields = {"wrong": f"{type(error).__name__}: {error}"}
        answer({**fields, "seconds": time.monotonic() - start})
    peer.close()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("urls", nargs="+")
    options = parser.parse_args()
    return serve(options.urls) if options.role == "server" else run_client(options.urls[0])


if __name__ == "__main__":
    sys.exit(main())
