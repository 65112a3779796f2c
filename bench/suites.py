"""What is measured: suites, and the contestants of each. A new workload is an entry here and a program."""

from __future__ import annotations

from dataclasses import dataclass, field

import ratios
from contestants import Contestant
from measure import ROUND_LIMIT
from ratios import Ratio

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
LOCAL = "{directory}/{program}.sock"  # run.py fills it in


@dataclass(frozen=True)
class Suite:
    """One work of one size. `name` begins with the row of aims.json that its ratios belong to."""

    name: str
    title: str
    work: str
    contestants: tuple[Contestant, ...]
    ratios: tuple[Ratio, ...] = field(default=())
    size: int = 64
    outstanding: int = 1
    row: str = ""
    limit: float = ROUND_LIMIT
    """Seconds beyond the measuring time until a client is ended as hanging."""

    @property
    def aim(self) -> str:
        return self.row or self.name

    @property
    def is_quick(self) -> bool:
        return bool(self.ratios)


TCP = Contestant("raw TCP", "bench_socket", "127.0.0.1:0")
UNIX = Contestant("raw Unix socket", "bench_socket", LOCAL)
ZMQ = Contestant("raw ZeroMQ", "bench_zmq", "tcp://127.0.0.1:*")
LEAT = Contestant("leat", "bench_leat", "tcp://127.0.0.1:0")
LEAT_IPC = Contestant("leat, ipc", "bench_leat", "ipc://" + LOCAL)
LEAT_ZMQ = Contestant("leat, zmq", "bench_leat", "zmq+tcp://127.0.0.1:0")
GRPC = Contestant("gRPC sync", "bench_grpc_sync", "127.0.0.1:0", peer="grpc")
GRPC_CALLBACK = Contestant("gRPC callback", "bench_grpc_callback", "127.0.0.1:0", peer="grpc")
CAPNP = Contestant("Cap'n Proto", "bench_capnp", "127.0.0.1:0", peer="capnp")
_GRPC = (GRPC.name, GRPC_CALLBACK.name)


def _sized(size: int) -> str:
    return (
        f"{size // GIB} GiB"
        if size >= GIB
        else f"{size // MIB} MiB"
        if size >= MIB
        else (f"{size // KIB} KiB" if size >= KIB else f"{size} B")
    )


def _priority(listen: str) -> tuple[Contestant, ...]:
    return (
        Contestant("leat, bulk up", "bench_leat_priority", listen),
        Contestant("leat, bulk down", "bench_leat_priority", listen, client=("--down",)),
    )


def _calls(outstanding: int) -> Suite:
    return Suite(
        name=f"tcp.calls.{outstanding}",
        row="tcp.calls",
        title=f"{outstanding} calls of 64 B under way",
        work="calls",
        outstanding=outstanding,
        contestants=(ZMQ, LEAT, GRPC_CALLBACK, CAPNP),
        ratios=(
            Ratio("zmq", "free", ratios.rate_over("leat", ZMQ.name)),
            Ratio("grpc", "free", ratios.rate_over("leat", *_GRPC)),
        ),
    )


def _threads(threads: int) -> Suite:
    return Suite(
        name=f"tcp.threads.{threads}",
        title=f"{threads} threads that call, 64 B (raw TCP: each on a connection of its own)",
        work="threads",
        outstanding=threads,
        contestants=(TCP, LEAT, GRPC),
    )


_STREAMS = {"source": "server stream", "sink": "client stream", "chat": "bidirectional stream, echoed"}


def _stream(work: str, size: int) -> Suite:
    aimed = work == "source" and size == 64
    return Suite(
        name=f"tcp.stream.{work}.{_sized(size).replace(' ', '')}",
        row="tcp.stream",
        title=f"{_STREAMS[work]} of {_sized(size)}",
        work=work,
        size=size,
        contestants=(*((ZMQ,) if work == "source" else ()), LEAT, GRPC, *((CAPNP,) if work == "sink" else ())),
        ratios=(
            Ratio("zmq", "free", ratios.rate_over("leat", ZMQ.name)),
            Ratio("grpc", "free", ratios.rate_over("leat", *_GRPC)),
        )
        if aimed
        else (),
    )


def _bulk(work: str, size: int) -> Suite:
    aimed = work == "put" and size == 64 * MIB
    # gRPC does not carry messages of 1 GiB there and back on a small machine in the time that a round has.
    peers = (ZMQ, GRPC, CAPNP) if size < GIB else (ZMQ,)
    return Suite(
        name=f"tcp.bulk.{work}.{_sized(size).replace(' ', '')}",
        row="tcp.bulk",
        title=f"arrays of {_sized(size)}, {'one way' if work == 'put' else 'there and back'}",
        work=work,
        size=size,
        contestants=(TCP, LEAT, *peers),
        ratios=(
            Ratio("raw", "free", ratios.rate_over("leat", TCP.name)),
            Ratio("grpc", "free", ratios.rate_over("leat", *_GRPC)),
        )
        if aimed
        else (),
    )


CPP = (
    Suite(
        name="tcp.unary",
        title="64 B there and back over TCP, one call after another",
        work="unary",
        contestants=(TCP, LEAT, GRPC, GRPC_CALLBACK, CAPNP),
        ratios=(
            Ratio("free", "free", ratios.time_over("leat", TCP.name)),
            Ratio("one_core", "one core", ratios.time_over("leat", TCP.name)),
            Ratio("grpc", "one core", ratios.their_time("leat", *_GRPC)),
            Ratio("cpp", "free", ratios.cpu_over("leat", *_GRPC), row="cpu"),
        ),
    ),
    _calls(64),
    _calls(256),
    _threads(1),
    _threads(8),
    _threads(64),
    *(_stream(work, size) for work in _STREAMS for size in (64, 16 * KIB)),
    *(_bulk(work, size) for work in ("put", "echo") for size in (4 * KIB, MIB, 64 * MIB, GIB)),
    Suite(
        name="tcp.priority",
        title="64 B calls while a second thread saturates bulk on the same connection, over TCP",
        work="priority",
        contestants=(Contestant("one queue", "bench_tcp_priority", "127.0.0.1:0"), *_priority("tcp://127.0.0.1:0")),
        ratios=(
            Ratio("p99", "free", ratios.p99_over_idle("leat, bulk up", "leat, bulk down")),
            Ratio("bulk", "free", ratios.bulk_kept("leat, bulk up", "leat, bulk down")),
        ),
    ),
    Suite(
        name="tcp.connect",
        title="a new connection until its first answer, 64 B",
        work="connect",
        contestants=(TCP, LEAT, ZMQ, GRPC, CAPNP),
    ),
    Suite(
        name="ipc.unary",
        title="64 B there and back over a Unix socket",
        work="unary",
        contestants=(UNIX, LEAT_IPC),
    ),
    Suite(
        name="zmq.unary",
        title="64 B there and back over ZeroMQ",
        work="unary",
        contestants=(ZMQ, LEAT_ZMQ),
        ratios=(Ratio("raw", "free", ratios.time_over(LEAT_ZMQ.name, ZMQ.name)),),
    ),
    Suite(
        name="zmq.calls",
        title="256 calls of 64 B under way over ZeroMQ",
        work="calls",
        outstanding=256,
        contestants=(ZMQ, LEAT_ZMQ),
        ratios=(Ratio("raw", "free", ratios.rate_over(LEAT_ZMQ.name, ZMQ.name)),),
    ),
    Suite(
        name="zmq.bulk",
        title="arrays of 64 MiB, one way over ZeroMQ",
        work="put",
        size=64 * MIB,
        contestants=(TCP, ZMQ, LEAT_ZMQ),
        ratios=(Ratio("raw", "free", ratios.rate_over(LEAT_ZMQ.name, TCP.name)),),
    ),
    Suite(
        name="zmq.priority",
        title="64 B calls beside bulk over ZeroMQ",
        work="priority",
        contestants=_priority("zmq+tcp://127.0.0.1:0"),
        ratios=(Ratio("p99", "free", ratios.p99_over_idle("leat, bulk up", "leat, bulk down")),),
    ),
    Suite(
        name="floors",
        title="what the machine allows: 64 B there and back",
        work="unary",
        contestants=(TCP, UNIX, ZMQ, Contestant("eventfd", "bench_eventfd", LOCAL)),
    ),
    Suite(
        name="floors.bulk",
        title="what the machine allows: 64 MiB one way",
        work="put",
        size=64 * MIB,
        contestants=(Contestant("memcpy", "bench_memory", "memory"), TCP, UNIX, ZMQ),
    ),
)
