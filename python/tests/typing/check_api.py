"""What users write, as mypy --strict sees it. Checked, not run."""

from __future__ import annotations

from typing import Any

import leat
import numpy as np
import numpy.typing as npt
from leat import schema


class Scope:
    def snap(self, exposure: float = 0.05) -> npt.NDArray[np.uint16]:
        return np.zeros((4, 4), np.uint16)


def serve() -> str:
    with leat.serve({"scope": Scope()}, "tcp://127.0.0.1:0", insecure=False) as server:
        server.add(Scope(), "other")
        ended: bool = server.wait(1.0)
        urls: list[str] = server.urls
        assert ended or urls or server.stats()["calls"]
        return server.url


def call(url: str) -> None:
    with leat.connect(url, timeout=5) as peer:
        scope: leat.ObjectProxy = peer["scope"]
        image: Any = scope.snap(exposure=0.1)
        scope.snap.options(timeout=2, channel="bulk")(0.1)
        for frame in scope.frames(100):
            print(frame, image)
        transport: str = peer.transport
        names: list[str] = peer.services()
        print(transport, names, peer.stats()["bytes_sent"])


def fail(url: str) -> str:
    try:
        leat.connect(url)
    except leat.RemoteError as error:
        details: list[tuple[str, bytes]] = error.details
        return error.code + error.remote_traceback + str(details)
    return ""


class Client(schema.Client):
    pass


def typed(peer: leat.Peer) -> Client:
    return peer.service(Client)


def wrong(url: str) -> None:
    leat.connect(5)  # type: ignore[arg-type]
    leat.connect(url, timeout="1")  # type: ignore[arg-type]
    leat.serve({"scope": Scope()})  # type: ignore[call-arg]
    leat.serve(5, url)  # type: ignore[arg-type]
