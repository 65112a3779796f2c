"""RPyC at its defaults: a threaded server, a service with an exposed method."""

from __future__ import annotations

import contestant
import numpy as np
import rpyc
from contestant import Options
from rpyc.utils.server import ThreadedServer


def serve(options: Options) -> None:
    class Echo(rpyc.Service):
        def exposed_echo(self, value: bytes) -> bytes:
            return options.spoilt(value)

    host, _, port = options.address.partition(":")
    server = ThreadedServer(Echo, hostname=host, port=int(port))
    contestant.announce(f"{host}:{server.port}")
    server.start()


def connect(options: Options) -> rpyc.Connection:
    host, _, port = options.address.partition(":")
    return rpyc.connect(host, int(port))


def unary(options: Options) -> None:
    with connect(options) as connection:
        contestant.measure(options, connection.root.echo)


def calls(options: Options) -> None:
    with connect(options) as connection:
        echo = rpyc.async_(connection.root.echo)
        contestant.measure_window(options, echo, lambda result: result.value)


def array(options: Options) -> None:
    with connect(options) as connection:
        echo = connection.root.echo
        contestant.measure_array(options, lambda large: np.frombuffer(echo(large.tobytes()), np.uint8))


if __name__ == "__main__":
    contestant.main(serve, {"unary": unary, "calls": calls, "array": array})
