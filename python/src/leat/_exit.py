"""An orderly end: what is still open when the interpreter exits is closed, and no thread of ours touches
Python after.

Handlers get a moment to finish. Those that are still at it are interrupted (SystemExit is raised in them),
and those that even that does not end are left behind with a line in the log, so that exit never hangs.
"""

from __future__ import annotations

import atexit
import logging
import os
import weakref
from typing import TYPE_CHECKING

from . import _native

if TYPE_CHECKING:
    from ._loop import LoopThread

GRACE = 1.0  # seconds for handlers to finish by themselves
MERCY = 3.0  # and for those that were interrupted

_pid = os.getpid()
_open: weakref.WeakSet[_native.Peer | _native.Server] = weakref.WeakSet()


def register(native: _native.Peer | _native.Server) -> None:
    """Has it closed at exit if it is still alive then."""
    _open.add(native)


_loops: weakref.WeakSet[LoopThread] = weakref.WeakSet()


def register_loop(thread: LoopThread) -> None:
    """Has the loop that handlers run on end at exit, after what is open."""
    _loops.add(thread)


@atexit.register
def _close_all() -> None:
    if os.getpid() != _pid:  # a forked child: what is open is its parent's
        _native.forbid_python()
        return
    natives = list(_open)
    for native in natives:
        if isinstance(native, _native.Peer):
            _close(native)
    for native in natives:
        if isinstance(native, _native.Server):
            _close(native)
    for thread in list(_loops):
        if not thread.stop(MERCY):
            logging.getLogger("leat").warning("exiting although coroutines that serve calls still run")
    _native.forbid_python()


def _close(native: _native.Peer | _native.Server) -> None:
    """Peers have handlers, too: of what they serve to the other side."""
    if not native.close_within(GRACE):
        _native.interrupt_handlers()
        if not native.close_within(MERCY):
            logging.getLogger("leat").warning("exiting although %d handlers still run", _native.interrupt_handlers())
