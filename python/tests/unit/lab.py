"""A server for the tests: python lab.py URL [URL ...] prints its URLs, one a line, and serves."""

import builtins
import logging
import sys
import threading
import time

import leat
import numpy as np


class Stage:
    pass


class Scope:
    """Methods for all that the tests call from elsewhere."""

    gain = 3

    def __init__(self):
        self.closed = 0
        self.started = 0
        self.buffer = np.zeros(100_000)

    def snap(self, exposure=0.05, *, bins=1):
        return np.full((4, 4), exposure * bins)

    def echo(self, *args, **kwargs):
        return [list(args), kwargs]

    def one(self, value):
        return value

    def nothing(self):
        pass

    def frames(self, n):
        yield from range(n)

    def iterator(self):
        return iter([1, 2])

    def images(self, n):
        for i in range(n):
            self.buffer[:] = i  # one buffer for all of them
            yield self.buffer

    def endless(self):
        self.started += 1
        try:
            i = 0
            while True:
                yield i
                i += 1
        finally:
            self.closed += 1

    def seen(self):
        return self.started, self.closed

    def slow_items(self):
        while True:
            yield 1
            time.sleep(3600)

    def breaks(self):
        yield 1
        yield 2
        raise LookupError("the camera is gone")

    def yields_a_set(self):
        yield 1
        yield {2}

    def fail(self, kind, *args):
        own = {"CameraError": CameraError, "StubbornError": StubbornError}
        error = own.get(kind) or getattr(builtins, kind)
        raise error(*args)

    def answer(self, code):
        raise leat.RemoteError("as told", code=code, details=[("why", b"\0because")])

    def deep(self):
        return self._deeper()

    def _deeper(self):
        raise ValueError("from below")

    def a_set(self):
        return {"frames": [0, {1}]}

    def a_stage(self):
        return Stage()

    async def later(self):
        return 1

    def sleep(self, seconds):
        time.sleep(seconds)
        return "slept"

    def writeable(self, array):
        return array.flags.writeable

    def thread(self):
        return threading.current_thread() is threading.main_thread()

    def stop(self):
        raise SystemExit("not for you")

    def _private(self):
        return "secret"

    @staticmethod
    def static(x):
        return x + 1

    @classmethod
    def named(cls):
        return cls.__name__

    class Inner:
        pass


class CameraError(Exception):
    pass


class StubbornError(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def main():
    if "--log" in sys.argv:
        logging.basicConfig(stream=sys.stderr)
    urls = [each for each in sys.argv[1:] if "://" in each]
    with leat.serve({"scope": Scope(), "other": Scope()}, *urls, threads=64) as server:
        for url in server.urls:
            print(url, flush=True)
        server.wait()


if __name__ == "__main__":
    main()
