"""What users write, as mypy --strict sees it. Checked, not run."""

from __future__ import annotations

from typing import Any

import leat
import leat.testing
import numpy as np
import numpy.typing as npt
from leat import interceptors, schema


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


def stream(peer: leat.Peer) -> None:
    with peer["scope"].frames.options(metadata={"a": "b", "c-bin": b"d"}, idempotent=True)(100) as frames:
        first: dict[str, str | bytes] = frames.metadata
        last: dict[str, str | bytes] | None = frames.trailing_metadata
        print(next(frames), first, last)


def typed_streams(upload: schema.Upload[int, str], exchange: schema.Exchange[int, str]) -> str:
    with upload as call:
        call.write(5)
        call.write("5")  # type: ignore[arg-type]
    with exchange:
        exchange.write(5)
        answer: str = exchange.next()
        exchange.close()
        for each in exchange:
            answer += each
        exchange.finish()
    return call.finish() + answer


def forms(scope: Scope, peer: leat.Peer) -> npt.NDArray[np.uint16]:
    later: leat.Future[npt.NDArray[np.uint16]] = leat.future(scope.snap)(0.1)
    leat.oneway(scope.snap)(exposure=0.1)
    leat.future(scope.snap)("0.1")  # type: ignore[arg-type]
    leat.options(scope.snap, timeout=2)(exposre=0.1)  # type: ignore[call-arg]
    untyped: leat.Future[Any] = peer["scope"].snap.future(0.1)
    untyped.add_done_callback(lambda done: print(done.result()))
    if later.done() and later.exception(1) is None and not later.cancel():
        print(later.metadata, later.trailing_metadata)
    return leat.options(scope.snap, timeout=2, metadata={"a": "b"})(0.1) + later.result(timeout=1)


def handle() -> float:
    context: leat.Context = leat.context()
    context.set_trailing_metadata([("a", "b")])
    context.send_initial_metadata({"a": b"b"})
    if context.cancelled or context.wait(0.1) or context.deadline is None:
        print(context.metadata, context.identity, context.peer_address, context.peer["scope"])
    return context.remaining or 0.0


def endpoints(url: str) -> None:
    limits = leat.Limits(max_streams=5, heartbeat_interval=None, sending=leat.Sending(second_lane=False))
    leat.set_process_assembly_bytes(1 << 30)
    server = leat.serve(
        {"scope": Scope()}, url, max_inflight=4, max_waiting=5, drain_limit=None, limits=limits, handshake_timeout=0.5
    )
    server.set_health("scope", serving=False)
    with leat.connect(
        url,
        call_timeout=5,
        wait_for_ready=True,
        serve={"screen": Scope()},
        threads=2,
        reconnect=leat.Reconnect(first_backoff=1, give_up_after=60),
        retry=leat.Retry(max_attempts=2),
        limits=limits,
        on_state=lambda event: print(event.state, event.epoch, event.reason),
    ) as peer:
        peer.wait_ready(5)
        peer.add(Scope(), "other")

        @peer.on_state
        def changed(event: leat.PeerEvent) -> None:
            state: leat.PeerState = event.state
            reason: leat.RemoteError | None = event.reason
            print(state, reason and (reason.not_started, reason.outcome_unknown))

        healthy: bool = peer.health("scope")
        if peer.state == "ready" and peer.epoch > 1 and healthy:
            drained: bool = server.drain(timeout=10)
            print(drained)
    leat.connect(url, reconnect=False, retry=False)
    leat.connect(url, reconnect=5)  # type: ignore[arg-type]
    leat.connect(url, limits={"max_streams": 5})  # type: ignore[arg-type]
    leat.Limits(5)  # type: ignore[call-arg]
    limits.max_streams = 5  # type: ignore[misc]


class Limited:
    @leat.method(max_inflight=1)
    def move(self, x: float) -> float:
        return x


def keeps_its_signature() -> float:
    Limited().move("1")  # type: ignore[arg-type]
    return Limited().move(1)


class Timed(leat.Interceptor):
    def on_start(self, call: interceptors.CallDetails) -> interceptors.Answer | None:
        call.began = 5.0
        call.metadata["a"] = b"b"
        call.timeout = 5 if call.timeout is None else call.timeout
        if call.side == "client" and call.method == "Snap":
            return interceptors.Answer(5)
        return interceptors.Answer(items=[1, 2]) if call.kind == "bidi" else None

    def on_receive(self, call: interceptors.CallDetails, message: interceptors.Message) -> None:
        message.value = [message.value, message.nbytes]
        message.nbytes = 5  # type: ignore[misc]

    def on_end(
        self, call: interceptors.CallDetails, error: leat.RemoteError | None, trailing: dict[str, str | bytes]
    ) -> None:
        took: float = call.began
        print(took, call.service, call.peer, trailing, None if error is None else error.code)


def intercept(url: str) -> float:
    metrics = interceptors.Metrics(buckets=[0.1, 1], max_methods=5)
    shipped = [interceptors.log_calls(level=5, slower_than=0.1), interceptors.propagate_trace(sample=0.5), metrics]
    with (
        leat.serve({"scope": Scope()}, url, interceptors=[Timed(), *shipped]) as server,
        leat.connect(url, interceptors=[Timed()]) as peer,
    ):
        trace: interceptors.TraceContext | None = interceptors.trace_context(leat.context().metadata)
        text: str = metrics.prometheus() + metrics.CONTENT_TYPE + metrics.methods()[0]["service"]
        print(trace and trace.trace_id, text)
        return server.stats()["latency"]["p99"] + peer.stats()["latency"]["sum"]


def try_out() -> None:
    with (
        leat.testing.ManualClock() as clock,
        leat.testing.peer({"scope": Scope()}, interceptors=[Timed()], server_interceptors=[Timed()]) as peer,
    ):
        clock.advance(0.2)
        now: float = clock.now()
        print(peer["scope"].snap(), peer.server.url, now)
    leat.connect("inproc://a", interceptors=[5])  # type: ignore[list-item]


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
