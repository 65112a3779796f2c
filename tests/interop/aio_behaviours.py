"""behaviours.py on asyncio: the service with coroutines, the cases awaited."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import leat
import leat.aio
from behaviours import (  # type: ignore[import-not-found]
    CODES,
    INITIAL_KEY,
    METADATA,
    SPECIAL_MESSAGE,
    TRAILING_KEY,
    answers,
    check_status,
    fails,
    schema,
)


class Serving(schema.TestServiceService):  # type: ignore[misc]
    def __init__(self) -> None:
        self.running = 0

    @contextlib.contextmanager
    def _handling(self) -> Iterator[None]:
        """In every handler: counts it, and sends back the metadata that asks for it."""
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
            self.running -= 1

    async def empty_call(self, request: Any) -> Any:
        with self._handling():
            return schema.Empty()

    async def unary_call(self, request: Any) -> Any:
        with self._handling():
            check_status(request)
            return schema.SimpleResponse(payload=bytes(request.response_size))

    async def streaming_output_call(self, request: Any) -> AsyncIterator[Any]:
        with self._handling():
            for answer in answers(request):
                yield answer

    async def streaming_input_call(self, requests: Any) -> Any:
        with self._handling():
            return schema.InputResponse(aggregated_size=sum([len(request.payload) async for request in requests]))

    async def full_duplex_call(self, requests: Any) -> AsyncIterator[Any]:
        with self._handling():
            async for request in requests:
                for answer in answers(request):
                    yield answer


class Case:
    """Each method is a case of that name; an AssertionError or a RemoteError says what was wrong."""

    def __init__(self, peer: leat.aio.Peer) -> None:
        self._peer = peer
        self._service: Any = peer.service(schema.TestService)

    async def empty_unary(self) -> None:
        assert await self._service.empty_call() == schema.Empty()

    async def large_unary(self) -> None:
        reply = await self._service.unary_call(response_size=314159, payload=bytes(271828))
        assert len(reply.payload) == 314159

    async def client_streaming(self) -> None:
        sizes = (27182, 8, 1828, 45904)
        async with self._service.streaming_input_call() as call:
            for size in sizes:
                await call.write(schema.InputRequest(payload=bytes(size)))
        assert (await call.finish()).aggregated_size == 74922

        async def requests() -> AsyncIterator[Any]:
            for size in sizes:
                yield schema.InputRequest(payload=bytes(size))

        assert (await self._service.streaming_input_call(requests())).aggregated_size == 74922

    async def server_streaming(self) -> None:
        sizes = [31415, 9, 2653, 58979]
        replies = self._service.streaming_output_call(sizes=sizes)
        assert [len(reply.payload) async for reply in replies] == sizes

    async def ping_pong(self) -> None:
        async with self._service.full_duplex_call() as call:
            for there, back in ((27182, 31415), (8, 9), (1828, 2653), (45904, 58979)):
                await call.write(schema.OutputRequest(sizes=[back], payload=bytes(there)))
                assert len((await call.next()).payload) == back
            await call.close()
            assert [reply async for reply in call] == []

    async def empty_stream(self) -> None:
        async with self._service.full_duplex_call() as call:
            await call.close()
            assert [reply async for reply in call] == []

    async def custom_metadata(self) -> None:
        initial = {INITIAL_KEY: METADATA[INITIAL_KEY]}
        trailing = {TRAILING_KEY: METADATA[TRAILING_KEY]}
        unary = self._service.unary_call.options(metadata=METADATA)(response_size=1)
        assert len((await unary).payload) == 1
        assert unary.metadata == initial
        assert unary.trailing_metadata == trailing
        async with self._service.full_duplex_call.options(metadata=METADATA)() as call:
            await call.write(schema.OutputRequest(sizes=[1]))
            assert len((await call.next()).payload) == 1
            await call.close()
            assert [reply async for reply in call] == []
        assert call.metadata == initial
        assert call.trailing_metadata == trailing

    async def status_code_and_message(self) -> None:
        await self._status("unknown", "test status message")

    async def special_status_message(self) -> None:
        await self._status("unknown", SPECIAL_MESSAGE)

    async def _status(self, code: str, message: str) -> None:
        wanted = schema.EchoStatus(code=CODES[code], message=message)
        with fails(code, message):
            await self._service.unary_call(response_status=wanted)
        with fails(code, message):
            async with self._service.full_duplex_call() as call:
                await call.write(schema.OutputRequest(response_status=wanted))
                await call.close()
                assert [reply async for reply in call] == []

    async def unimplemented_method(self) -> None:
        with fails("unimplemented"):
            await self._peer["behaviours.TestService"].UnimplementedCall()

    async def unimplemented_service(self) -> None:
        with fails("unimplemented"):
            unimplemented: Any = self._peer.service(schema.UnimplementedService)
            await unimplemented.unimplemented_call()

    async def cancel_after_begin(self) -> None:
        call = self._service.streaming_input_call()
        call.cancel()
        with fails("cancelled"):
            await call.finish()

    async def cancel_after_first_response(self) -> None:
        call = self._service.full_duplex_call()
        await call.write(schema.OutputRequest(sizes=[31415], payload=bytes(27182)))
        assert len((await call.next()).payload) == 31415
        call.cancel()
        with fails("cancelled"):
            await call.finish()

    async def timeout_on_sleeping_server(self) -> None:
        with fails("deadline_exceeded"):
            call = self._service.full_duplex_call.options(timeout=0.001)()
            with contextlib.suppress(leat.RemoteError):  # the time may be up already
                await call.write(schema.OutputRequest(payload=bytes(27182)))
            await call.next()


async def run_case(peer: leat.aio.Peer, name: str) -> None:
    case = getattr(Case, name, None)
    assert case is not None, f"no such case: {name}"
    await case(Case(peer))
