"""The suites in Python: an object's method called with bytes or an array, as each peer's users would."""

from __future__ import annotations

from dataclasses import replace

import ratios
from contestants import Contestant
from ratios import Ratio
from suites import CPP, LEAT, MIB, Suite

PYTHON = Contestant("leat, Python", "workloads/leat_python.py", "tcp://127.0.0.1:0")


def _peer(name: str, file: str, peer: str, listen: str = "127.0.0.1:0", slow: bool = False) -> Contestant:
    return Contestant(name, f"peers/python/{file}.py", listen, peer=peer, slow=slow)


def _slow(*contestants: Contestant) -> tuple[Contestant, ...]:
    return tuple(replace(contestant, slow=True) for contestant in contestants)


GRPCIO = _peer("grpcio", "grpcio_peer", "grpcio")
GRPC_AIO = _peer("grpc.aio", "grpc_aio_peer", "grpc.aio")
PYRO = _peer("Pyro5", "pyro_peer", "pyro5")
RPYC = _peer("RPyC", "rpyc_peer", "rpyc")
PYZMQ = _peer("pyzmq", "pyzmq_peer", "pyzmq", "tcp://127.0.0.1:*")
HYPHA = _peer("hypha-rpc", "hypha_peer", "hypha", slow=True)
FLIGHT = _peer("Arrow Flight", "flight_peer", "flight", "grpc://127.0.0.1:0", slow=True)
ZENOH = _peer("Zenoh", "zenoh_peer", "zenoh", slow=True)
MANAGERS = _peer("managers", "managers_peer", "managers", slow=True)
_GRPC = (GRPCIO.name, GRPC_AIO.name)

SUITES = (
    *CPP,
    Suite(
        name="python.unary",
        title="a method of an object, 64 B there and back, one call after another",
        work="unary",
        contestants=(LEAT, PYTHON, GRPCIO, GRPC_AIO, PYRO, RPYC, *_slow(PYZMQ), HYPHA, FLIGHT, ZENOH, MANAGERS),
        ratios=(
            Ratio("cpp", "free", ratios.time_over(PYTHON.name, LEAT.name)),
            Ratio("grpcio", "free", ratios.their_time(PYTHON.name, *_GRPC)),
            Ratio("others", "free", ratios.their_time(PYTHON.name, PYRO.name, RPYC.name)),
            Ratio("python", "free", ratios.cpu_over(PYTHON.name, *_GRPC), row="cpu"),
        ),
    ),
    Suite(
        name="python.calls",
        title="64 calls of a method under way, 64 B",
        work="calls",
        outstanding=64,
        contestants=(PYTHON, GRPCIO, GRPC_AIO, RPYC, HYPHA, PYZMQ),
        ratios=(
            Ratio("grpcio", "free", ratios.rate_over(PYTHON.name, *_GRPC)),
            Ratio("pyzmq", "free", ratios.rate_over(PYTHON.name, PYZMQ.name)),
        ),
    ),
    Suite(
        name="python.array",
        title="a numpy array of 64 MiB there and back over TCP",
        work="array",
        size=64 * MIB,
        limit=120,
        contestants=(PYTHON, GRPCIO, *_slow(GRPC_AIO, PYRO, RPYC, PYZMQ), HYPHA, FLIGHT, ZENOH, MANAGERS),
        ratios=(Ratio("tcp", "free", ratios.their_time(PYTHON.name, *_GRPC)),),
    ),
)
