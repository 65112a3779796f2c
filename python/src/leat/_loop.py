"""Event loops: where what Leat's threads have to tell one arrives, and threads that a loop does not wait for."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import weakref
from collections.abc import AsyncGenerator, Callable
from typing import ParamSpec, TypeVar

from . import _exit, _native

_P = ParamSpec("_P")
_T = TypeVar("_T")


async def _until_closed(queue: _native.LoopQueue) -> AsyncGenerator[None, None]:
    """asyncio tells nobody that a loop is about to be closed, except asynchronous generators."""
    try:
        yield
    finally:
        queue.close()  # whoever waits for an answer from this loop is told at once that there will be none


_queues: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _native.LoopQueue] = weakref.WeakKeyDictionary()


def attach() -> tuple[_native.LoopQueue, asyncio.AbstractEventLoop]:
    """The running loop, and its queue. RuntimeError where none runs."""
    loop = asyncio.get_running_loop()
    queue = _queues.get(loop)
    if queue is None:
        queue = _queues[loop] = _native.LoopQueue()
        sentinel = _until_closed(queue)
        with contextlib.suppress(StopIteration):
            sentinel.asend(None).send(None)
        loop.add_reader(queue.fileno(), queue.run_ready, sentinel)
    return queue, loop


async def in_thread(function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """What the function gives, which runs in a thread of its own. Cancelling does not wait for it: what it
    gives is then closed, if it can be.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if future.cancelled():
            _discard(result)
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = context.run(function, *args, **kwargs)
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:  # the loop is closed
            _discard(result)

    context = contextvars.copy_context()
    # Not of an executor, whose threads hold up the end of the loop and of the program.
    threading.Thread(target=run, name="leat-aio", daemon=True).start()
    return await future


def _discard(result: object) -> None:
    close = getattr(result, "close", None)
    if close is not None:
        threading.Thread(target=close, name="leat-aio", daemon=True).start()


def serving_here(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """The function, which may be called elsewhere: handlers of what it serves run on the loop that runs here."""
    handlers = _native.HandlerLoop(*attach())

    def serve(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        token = _native.handler_loop.set(handlers)
        try:
            return function(*args, **kwargs)
        finally:
            _native.handler_loop.reset(token)

    return serve


def on_loop(callback: Callable[[_T], object]) -> Callable[[_T], None]:
    """Has the callback called on the loop that runs here, whoever calls."""
    loop = asyncio.get_running_loop()

    def call(argument: _T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(callback, argument)

    return call


class LoopThread:
    """An event loop in a thread of its own, for the handlers of a server that has no other."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leat-loop", daemon=True)
        self._thread.start()
        self._ready.wait()
        _exit.register_loop(self)

    def attached(self) -> tuple[_native.LoopQueue, asyncio.AbstractEventLoop]:
        """The loop and its queue."""
        return self._queue, self._loop

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self._main())

    async def _main(self) -> None:
        self._queue, self._loop = attach()
        self._stopped = asyncio.Event()
        self._ready.set()
        await self._stopped.wait()
        from ._aio_handler import settled

        await settled()  # or asyncio would cancel them once more

    def stop(self, timeout: float | None = None) -> bool:
        """Cancels what runs and waits for it, unless this is the loop's own thread. False if that takes longer."""
        with contextlib.suppress(RuntimeError):  # closed already
            self._loop.call_soon_threadsafe(self._stopped.set)
        if threading.current_thread() is self._thread:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()
