"""multiprocessing.managers, which comes with Python: a proxy to an object in another process, pickled."""

from __future__ import annotations

from multiprocessing.managers import BaseManager
from typing import Any

import contestant
from contestant import Options

KEY = b"bench"


class Echo:
    def __init__(self, options: Options) -> None:
        self._options = options

    def echo(self, value: Any) -> Any:
        return self._options.spoilt(value) if isinstance(value, bytes) else value


class Manager(BaseManager):
    pass


def serve(options: Options) -> None:
    echo = Echo(options)
    Manager.register("echo", callable=lambda: echo)
    host, _, port = options.address.partition(":")
    server = Manager((host, int(port)), KEY).get_server()
    assert isinstance(server.address, tuple)
    contestant.announce(f"{host}:{server.address[1]}")
    server.serve_forever()


def calls(options: Options) -> None:
    Manager.register("echo")
    host, _, port = options.address.partition(":")
    manager = Manager((host, int(port)), KEY)
    manager.connect()
    proxy = manager.echo()  # type: ignore[attr-defined]  # made by register()
    if options.work == "array":
        contestant.measure_array(options, proxy.echo)
    else:
        contestant.measure(options, proxy.echo)


if __name__ == "__main__":
    contestant.main(serve, {"unary": calls, "array": calls})
