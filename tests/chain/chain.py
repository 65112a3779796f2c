"""chain.cc in Python: one process of a chain, each of which waits in steps for as long as it is waited for."""

from __future__ import annotations

import argparse
import json
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import leat

chain: Any = leat.load_schema(Path(__file__).with_name("chain.fbs"))

STEP = 0.01
_lock = threading.Lock()


def log(event: str, at: float | None, status: str = "") -> None:
    with _lock:
        print(json.dumps({"event": event, "at": at, "status": status}), flush=True)


def code(call: leat.Future[Any]) -> str:
    if call.cancelled():
        return "cancelled"
    error = call.exception()
    return error.code if isinstance(error, leat.RemoteError) else "ok"


class Hop(chain.ChainService):  # type: ignore[misc]
    def __init__(self, following: Any) -> None:
        self._following = following

    def hold(self, request: Any) -> Any:
        context = leat.context()
        log("deadline", context.deadline)
        # The call onward is bounded by this one because it is made in its handler; no option says so.
        onward = self._following.hold.future() if self._following is not None else None
        while True:
            log("step", time.monotonic())
            if context.wait(STEP) or (onward is not None and onward.done()):
                break
        if onward is not None:
            log("onward", time.monotonic(), code(onward))
        log("left", time.monotonic())
        return chain.Waited()


def serve(url: str, following: str) -> None:
    with ExitStack() as stack:
        client = stack.enter_context(leat.connect(following)).service(chain.Chain) if following else None
        server = stack.enter_context(leat.serve(Hop(client), url))
        print(json.dumps({"url": server.url}), flush=True)
        server.wait()


def call(following: str, timeout: int, cancel: int) -> None:
    """The top: `timeout` bounds its call, or it cancels after `cancel` (milliseconds, 0: never)."""
    with leat.connect(following) as peer:
        began = time.monotonic()
        held = peer.service(chain.Chain).hold.future(timeout=timeout / 1000 if timeout else None)
        if timeout:
            log("deadline", began + timeout / 1000)
        while not held.done():
            at = time.monotonic()
            log("step", at)
            if cancel and at >= began + cancel / 1000:
                log("cancel", time.monotonic())
                held.cancel()
            else:
                time.sleep(STEP)
        log("left", time.monotonic(), code(held))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", help="serves here; without it this is the top")
    parser.add_argument("--next", default="", help="whom to call")
    parser.add_argument("--timeout", type=int, default=0, help="of the top's call, in milliseconds")
    parser.add_argument("--cancel", type=int, default=0, help="when the top cancels, in milliseconds")
    options = parser.parse_args()
    if options.listen:
        serve(options.listen, options.next)
    else:
        call(options.next, options.timeout, options.cancel)


if __name__ == "__main__":
    main()
