"""Pyro5 at its defaults (serpent). Arrays go as its documentation on binary data recommends: as bytes, which
come back as what `serpent.tobytes()` makes bytes of."""

from __future__ import annotations

import contestant
import numpy as np
import Pyro5.api
import serpent
from contestant import Options


@Pyro5.api.expose
class Echo:
    options = Options()

    def echo(self, value: object) -> bytes:
        return self.options.spoilt(serpent.tobytes(value))


def serve(options: Options) -> None:
    Echo.options = options
    host, _, port = options.address.partition(":")
    daemon = Pyro5.api.Daemon(host=host, port=int(port))
    contestant.announce(str(daemon.register(Echo(), "echo")))
    daemon.requestLoop()


def unary(options: Options) -> None:
    with Pyro5.api.Proxy(options.address) as proxy:
        contestant.measure(options, lambda value: serpent.tobytes(proxy.echo(value)))


def array(options: Options) -> None:
    with Pyro5.api.Proxy(options.address) as proxy:
        contestant.measure_array(
            options, lambda large: np.frombuffer(serpent.tobytes(proxy.echo(large.tobytes())), np.uint8)
        )


if __name__ == "__main__":
    contestant.main(serve, {"unary": unary, "array": array})
