"""The behaviours that gRPC's implementations check against each other (doc/interop-test-descriptions.md of grpc/grpc),
in C++, Python and Python on asyncio in each role. Authentication, compression and HTTP are not Leat's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from children import LANGUAGES, TRANSPORTS, Child, wait_until  # type: ignore[import-not-found]

CASES = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "custom_metadata",
    "status_code_and_message",
    "special_status_message",
    "unimplemented_method",
    "unimplemented_service",
    "cancel_after_begin",
    "cancel_after_first_response",
    "timeout_on_sleeping_server",
]
PAIRS = [
    pytest.param((server, client, transport), id=f"{client}-calls-{server}-over-{transport}")
    for transport, server, client in itertools.product(TRANSPORTS, [*LANGUAGES, "aio"], [*LANGUAGES, "aio"])
]


@pytest.fixture(scope="module", params=PAIRS)
def pair(request: Any, start_shared: Callable[..., Child]) -> tuple[Child, Child]:
    """A server and a client that all cases of a pair share: none may spoil the connection for the next."""
    server_language, client_language, transport = request.param
    server = start_shared(server_language, "server", f"{transport}://127.0.0.1:0")
    return server, start_shared(client_language, "client", server.first[0])


@pytest.mark.parametrize("case", CASES)
def test_behaviour(pair: tuple[Child, Child], case: str) -> None:
    server, client = pair
    client.ask(f"behaviour {case}")
    # Whatever the client has ended has ended on the server.
    assert wait_until(lambda: server.ask("running")["running"] == 0), f"{server.ask('running')} handlers run on"


def test_the_names_of_cases_are_checked(pair: tuple[Child, Child]) -> None:
    _, client = pair
    with pytest.raises(AssertionError, match="no such case: nonsense"):
        client.ask("behaviour nonsense")
