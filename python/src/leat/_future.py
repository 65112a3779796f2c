"""The answers of calls that were not waited for."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable
from concurrent.futures import _base
from typing import Any, NoReturn, TypeVar

from . import _native

_T = TypeVar("_T")

_guard = threading.Lock()  # for the first look at a future
_OBSERVED = ("_condition", "_done_callbacks", "_state", "_waiters")


class Future(_native.PendingCall, concurrent.futures.Future[_T]):
    """The answer of a call, to be asked for later: `scope.snap.future(0.1)`.

    Whoever waits in result() reads from the connection as a blocking call does; no thread is needed. It is
    also a concurrent.futures.Future: callbacks, wait() and as_completed() work, and run on threads of Leat's.
    cancel() ends the call on both sides; so does letting go of a future that nobody watches before its call
    has ended.
    """

    # What concurrent.futures keeps in every future is made when somebody looks at it.
    def __getattr__(self, name: str) -> Any:
        if name not in _OBSERVED:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with _guard:
            if "_condition" not in self.__dict__:
                self._waiters: list[Any] = []
                self._done_callbacks: list[Any] = []
                self._state = _base.RUNNING
                self._condition = threading.Condition()
                observe = True
            else:
                observe = False
        if observe and not self._watch():
            self._state = self._final_state()
        return self.__dict__[name]

    def _final_state(self) -> str:
        return _base.CANCELLED_AND_NOTIFIED if self.cancelled() else _base.FINISHED

    def _settle(self) -> None:
        """Called once, by the native half, when a future that is watched is done."""
        with self._condition:
            self._state = self._final_state()
            for waiter in self._waiters:
                if self.cancelled():
                    waiter.add_cancelled(self)
                elif self.exception() is not None:
                    waiter.add_exception(self)
                else:
                    waiter.add_result(self)
            self._condition.notify_all()
        self._invoke_callbacks()

    def add_done_callback(self, fn: Callable[[concurrent.futures.Future[_T]], object], /) -> None:
        """Calls `fn` with this future when its call has ended: on a thread of Leat's, or here if it has."""
        self.done()
        super().add_done_callback(fn)

    def set_result(self, result: Any) -> NoReturn:
        """Only calls whose answers come from elsewhere have such futures: RuntimeError."""
        raise RuntimeError("the outcome of a call can't be set")

    def set_exception(self, exception: BaseException | None) -> NoReturn:
        """As set_result()."""
        raise RuntimeError("the outcome of a call can't be set")

    def set_running_or_notify_cancel(self) -> NoReturn:
        """As set_result()."""
        raise RuntimeError("the outcome of a call can't be set")

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled() else "done" if self.done() else "pending"
        return f"<leat.Future {state}>"
