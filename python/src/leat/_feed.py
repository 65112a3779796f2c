"""The thread that runs an iterator which was passed to a call."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable


def start(run: Callable[[], None]) -> None:
    """Runs it in a thread of its own, which sees the caller's contextvars and does not hold up exit."""
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name="leat-requests", daemon=True).start()
