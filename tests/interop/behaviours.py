"""The cases of gRPC's interoperability tests, and the service that they call: behaviours.cc in Python."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import leat

schema: Any = leat.load_schema(Path(__file__).with_name("behaviours.fbs"))

INITIAL_KEY = "x-leat-test-echo-initial"
TRAILING_KEY = "x-leat-test-echo-trailing-bin"
METADATA: dict[str, str | bytes] = {INITIAL_KEY: "test_initial_metadata_value", TRAILING_KEY: b"\xab\xab\xab"}
SPECIAL_MESSAGE = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
CODES = {"unknown": 2}
NAMES = {number: name for name, number in CODES.items()}


class Serving(schema.TestServiceService):  # type: ignore[misc]
    def __init__(self) -> None:
        self.running = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def _handling(self) -> Iterator[None]:
        """In every handler: counts it, and sends back the metadata that asks for it."""
        with self._lock:
            self.running += 1
        try:
            context = leat.context()
            sent = context.metadata
            if TRAILING_KEY in sent:
                context.set_trailing_metadata({TRAILING_KEY: sent[TRAILING_KEY]})
            if INITIAL_KEY in sent:
                context.send_initial_metadata({INITIAL_KEY: sent[INITIAL_KEY]})
            yield
        finally:
            with self._lock:
                self.running -= 1

    def empty_call(self, request: Any) -> Any:
        with self._handling():
            return schema.Empty()

    def unary_call(self, request: Any) -> Any:
        with self._handling():
            check_status(request)
            return schema.SimpleResponse(payload=bytes(request.response_size))

    def streaming_output_call(self, request: Any) -> Any:
        with self._handling():
            yield from answers(request)

    def streaming_input_call(self, requests: Any) -> Any:
        with self._handling():
            return schema.InputResponse(aggregated_size=sum(len(request.payload) for request in requests))

    def full_duplex_call(self, requests: Any) -> Any:
        with self._handling():
            for request in requests:
                yield from answers(request)


def check_status(request: Any) -> None:
    wanted = request.response_status
    if wanted is not None:
        raise leat.RemoteError(wanted.message, code=NAMES[wanted.code])


def answers(request: Any) -> Iterator[Any]:
    check_status(request)
    for size in request.sizes:
        yield schema.OutputResponse(payload=bytes(size))


@contextlib.contextmanager
def fails(code: str, message: str | None = None) -> Iterator[None]:
    failure: leat.RemoteError | None = None
    try:
        yield
    except leat.RemoteError as error:
        failure = error
    assert failure is not None, f"it did not fail as {code}"
    assert failure.code == code, f"{failure.code}: {failure}, not {code}"
    assert message is None or str(failure) == message, repr(str(failure))


class Case:
    """Each method is a case of that name; an AssertionError or a RemoteError says what was wrong."""

    def __init__(self, peer: leat.Peer) -> None:
        self._peer = peer
        self._service = peer.service(schema.TestService)

    def empty_unary(self) -> None:
        assert self._service.empty_call() == schema.Empty()

    def large_unary(self) -> None:
        reply = self._service.unary_call(response_size=314159, payload=bytes(271828))
        assert len(reply.payload) == 314159

    def client_streaming(self) -> None:
        with self._service.streaming_input_call() as call:
            for size in (27182, 8, 1828, 45904):
                call.write(schema.InputRequest(payload=bytes(size)))
        assert call.finish().aggregated_size == 74922

    def server_streaming(self) -> None:
        sizes = [31415, 9, 2653, 58979]
        replies = self._service.streaming_output_call(sizes=sizes)
        assert [len(reply.payload) for reply in replies] == sizes

    def ping_pong(self) -> None:
        with self._service.full_duplex_call() as call:
            for there, back in ((27182, 31415), (8, 9), (1828, 2653), (45904, 58979)):
                call.write(schema.OutputRequest(sizes=[back], payload=bytes(there)))
                assert len(call.next().payload) == back
            call.close()
            assert list(call) == []

    def empty_stream(self) -> None:
        with self._service.full_duplex_call() as call:
            call.close()
            assert list(call) == []

    def custom_metadata(self) -> None:
        # A call that gives its reply as such has no place for what came beside it; the streams have.
        with self._service.full_duplex_call.options(metadata=METADATA)() as call:
            call.write(schema.OutputRequest(sizes=[1]))
            assert len(call.next().payload) == 1
            call.close()
            assert list(call) == []
        assert call.metadata == {INITIAL_KEY: METADATA[INITIAL_KEY]}
        assert call.trailing_metadata == {TRAILING_KEY: METADATA[TRAILING_KEY]}

    def status_code_and_message(self) -> None:
        self._status("unknown", "test status message")

    def special_status_message(self) -> None:
        self._status("unknown", SPECIAL_MESSAGE)

    def _status(self, code: str, message: str) -> None:
        wanted = schema.EchoStatus(code=CODES[code], message=message)
        with fails(code, message):
            self._service.unary_call(response_status=wanted)
        with fails(code, message), self._service.full_duplex_call() as call:
            call.write(schema.OutputRequest(response_status=wanted))
            call.close()
            assert list(call) == []

    def unimplemented_method(self) -> None:
        with fails("unimplemented"):
            self._peer["behaviours.TestService"].UnimplementedCall()

    def unimplemented_service(self) -> None:
        with fails("unimplemented"):
            self._peer.service(schema.UnimplementedService).unimplemented_call()

    def cancel_after_begin(self) -> None:
        call = self._service.streaming_input_call()
        call.cancel()
        with fails("cancelled"):
            call.finish()

    def cancel_after_first_response(self) -> None:
        call = self._service.full_duplex_call()
        call.write(schema.OutputRequest(sizes=[31415], payload=bytes(27182)))
        assert len(call.next().payload) == 31415
        call.cancel()
        with fails("cancelled"):
            call.finish()

    def timeout_on_sleeping_server(self) -> None:
        with fails("deadline_exceeded"):
            call = self._service.full_duplex_call.options(timeout=0.001)()
            with contextlib.suppress(leat.RemoteError):  # the time may be up already
                call.write(schema.OutputRequest(payload=bytes(27182)))
            next(call)


def run_case(peer: leat.Peer, name: str) -> None:
    case = None if name.startswith("_") else getattr(Case, name, None)
    assert case is not None, f"no such case: {name}"
    case(Case(peer))
