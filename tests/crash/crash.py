"""crash.cc in Python: a server that is there to be killed, and a client that goes on calling it."""

from __future__ import annotations

import collections
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import leat

crash: Any = leat.load_schema(Path(__file__).with_name("crash.fbs"))


def answer(value: object) -> None:
    print(json.dumps(value), flush=True)


class Journal:
    """Lines that are in the file, whatever happens to this process next, once add() has returned."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def add(self, line: str) -> None:
        data = f"{line}\n".encode()
        if os.write(self._file, data) != len(data):
            raise OSError("the journal can't be written")


class Serving(crash.CrashService):  # type: ignore[misc]
    def __init__(self, path: str) -> None:
        self._journal = Journal(path)

    def work(self, job: Any) -> Any:
        return self._run("w", job.id)

    def look(self, job: Any) -> Any:
        return self._run("l", job.id)

    def hang(self, job: Any) -> Any:
        while not leat.context().wait(1):
            pass
        return crash.Done(id=job.id)

    def _run(self, kind: str, number: int) -> Any:
        self._journal.add(f"{kind} {number}")
        time.sleep(number % 16 * 1e-4)
        return crash.Done(id=number)


def serve(url: str, journal: str) -> None:
    with leat.serve(Serving(journal), url) as server:
        answer(server.urls)
        server.wait()


def word(error: BaseException | None) -> str:
    """How a call ended, in one word."""
    if error is None:
        return "ok"
    if not isinstance(error, leat.RemoteError):
        return type(error).__name__
    if error.not_started:
        return f"{error.code}/not_started"
    return f"{error.code}/unknown" if error.outcome_unknown else error.code


class Driven:
    def __init__(self, peer: leat.Peer, journal: str) -> None:
        self._peer = peer
        self._service = peer.service(crash.Crash)
        self._journal = Journal(journal)
        self._lock = threading.Lock()
        self._next = 0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def number(self) -> int:
        with self._lock:
            self._next += 1
            return self._next

    def pending(self, count: int) -> None:
        """Many calls that wait, none of which has a thread; then how each ended, and when the last one did."""
        ends: list[float] = []
        changed = threading.Condition()

        def ended(call: object) -> None:
            with changed:
                ends.append(time.monotonic())
                changed.notify_all()

        calls = [self._service.hang.future(id=i) for i in range(count)]
        for call in calls:
            call.add_done_callback(ended)
        answer({})
        with changed:
            changed.wait_for(lambda: len(ends) >= count)
        how = collections.Counter(word(call.exception()) for call in calls)
        answer({"ends": len(ends), "how": how, "last": max(ends)})

    def wait_ready(self, _: int) -> None:
        """One call, which waits for the connection to be there."""
        look = self._service.look.options(wait_for_ready=True, timeout=20)
        answer({"how": word(look.future(id=self.number()).exception()), "epoch": self._peer.epoch})

    def begin(self, threads: int) -> None:
        """Calls of both kinds from several threads until `stop` comes; how each ended goes to the journal."""
        self._stop.clear()
        self._threads = [threading.Thread(target=self._run, args=(i % 2 == 0,)) for i in range(threads)]
        for thread in self._threads:
            thread.start()
        answer({})

    def stop(self, _: int) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        in_flight = self._peer.stats()["calls_in_flight"]
        answer({"calls": self._next, "in_flight": in_flight, "epoch": self._peer.epoch})

    def _run(self, patient: bool) -> None:
        # Half of the threads take what comes.
        look = self._service.look.options(wait_for_ready=patient, timeout=20)
        work = self._service.work.options(wait_for_ready=patient, timeout=20)
        while not self._stop.is_set():
            number = self.number()
            kind, method = ("l", look) if number % 2 == 0 else ("w", work)
            error = None
            try:
                how = "ok" if method(id=number).id == number else "wrong"
            except leat.RemoteError as caught:
                error = caught
                how = word(error)
            self._journal.add(f"{kind} {number} {how}")
            if error is not None:
                time.sleep(0.002)


def run_client(url: str, journal: str) -> None:
    with leat.connect(url) as peer:
        answer({})
        driven = Driven(peer, journal)
        for line in sys.stdin:
            verb, _, number = line.strip().partition(" ")
            getattr(driven, verb)(int(number or 0))


if __name__ == "__main__":
    {"server": serve, "client": run_client}[sys.argv[1]](*sys.argv[2:])
