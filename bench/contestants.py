"""Who takes part: programs in C++ and in Python, Leat's, the floors' and the peers'; and how each is started."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Peer:
    """What somebody might use instead of Leat. `make bench-peers` installs it."""

    name: str
    what: str
    later: str = ""
    """Why it takes no part yet."""


_JS = "comes with the JavaScript client"
PEERS = {
    peer.name: peer
    for peer in (
        Peer("grpc", "gRPC, C++"),
        Peer("capnp", "Cap'n Proto, C++"),
        Peer("grpcio", "gRPC, Python"),
        Peer("grpc.aio", "gRPC, Python's asyncio"),
        Peer("pyro5", "Pyro5"),
        Peer("rpyc", "RPyC"),
        Peer("hypha", "hypha-rpc with a hypha server"),
        Peer("pyzmq", "ZeroMQ, Python"),
        Peer("flight", "Arrow Flight, Python"),
        Peer("zenoh", "Zenoh, Python"),
        Peer("managers", "multiprocessing.managers, Python's own"),
        Peer("grpc-js", "gRPC, Node", later=_JS),
        Peer("ws", "ws, Node", later=_JS),
        Peer("socket.io", "Socket.IO, Node", later=_JS),
        Peer("connect", "Connect, Node", later=_JS),
    )
}


@dataclass(frozen=True)
class Contestant:
    """A program with the commands `server` and `client` (options.h), and what it is called with."""

    name: str
    program: str
    """Of the C++ build, or a file in this folder that ends in .py."""
    listen: str = ""
    server: tuple[str, ...] = ()
    client: tuple[str, ...] = ()
    peer: str = ""
    """Its name in PEERS; none for Leat and the floors."""
    slow: bool = False
    """Takes long beside the others, and no aim is about it: not in a quick run, and no more rounds than must be."""

    @property
    def is_leat(self) -> bool:
        return self.name.startswith("leat")


@dataclass(frozen=True)
class Installation:
    """Where the programs are."""

    build: Path
    peers: Path

    def known(self) -> dict[str, Any]:
        """What `make bench-peers` wrote down about each peer."""
        try:
            known: dict[str, Any] = json.loads((self.peers / "peers.json").read_text(encoding="utf-8"))
        except OSError:
            return {}
        return known

    def missing(self, contestant: Contestant) -> str:
        """Why a peer can't take part; empty if it can."""
        if not contestant.peer:
            return ""
        known = self.known().get(contestant.peer)
        if known is None:
            return "not installed: run 'make bench-peers'"
        reason: str = known.get("reason", "")
        return f"could not be installed: {reason}" if reason else ""

    def program(self, contestant: Contestant) -> list[str]:
        if contestant.program.endswith(".py"):
            python = str(self.peers / "venv" / "bin" / "python") if contestant.peer else sys.executable
            return [python, str(HERE / contestant.program)]
        return [str((self.peers / "cpp" if contestant.peer else self.build / "bench") / contestant.program)]

    def exists(self, contestant: Contestant) -> bool:
        return Path(self.program(contestant)[-1]).exists()


def choose_peers(names: str) -> set[str]:
    """PEERS=a,b; all if it is empty."""
    wanted = set(names.replace(",", " ").split())
    if not wanted:
        return set(PEERS)
    unknown = sorted(wanted - set(PEERS) - {"none"})
    if unknown:
        raise SystemExit(f"bench: no peer is called {', '.join(unknown)}; there are: {', '.join(PEERS)}, none")
    return wanted - {"none"}
