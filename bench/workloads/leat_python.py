"""An object's method called from Python over Leat: one call after another, by futures, and with an array."""

from __future__ import annotations

from typing import Any

import contestant
import leat
import numpy as np
from contestant import Options


class Echo:
    def __init__(self, options: Options) -> None:
        self._options = options

    def echo(self, value: bytes) -> bytes:
        return self._options.spoilt(value)

    def mirror(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return array


def serve(options: Options) -> None:
    server = leat.serve({"echo": Echo(options)}, options.address)
    contestant.announce(server.url)
    server.wait()


def unary(options: Options) -> None:
    with leat.connect(options.address) as peer:
        contestant.measure(options, peer["echo"].echo)


def calls(options: Options) -> None:
    with leat.connect(options.address) as peer:
        contestant.measure_window(options, peer["echo"].echo.future, lambda future: future.result())


def array(options: Options) -> None:
    with leat.connect(options.address) as peer:
        contestant.measure_array(options, peer["echo"].mirror)


if __name__ == "__main__":
    contestant.main(serve, {"unary": unary, "calls": calls, "array": array})
