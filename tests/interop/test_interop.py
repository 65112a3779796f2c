"""C++ and Python in each role, in processes of their own, over tcp:// and zmq+tcp://."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest
from children import LANGUAGES, TRANSPORTS, Child  # type: ignore[import-not-found]

CALLS = 10_000
ITEMS = 100_000
ROWS, COLUMNS = 1 << 15, 1 << 14  # of uint16: 1 GiB
GIB = 1024.0  # in MiB
RECEIVER = 1.5 * GIB  # what a receiver may need above idle, at its peak
SENDER = 0.5 * GIB  # and a sender, its array apart

PAIRS = [
    pytest.param(server, client, transport, id=f"{client}-calls-{server}-over-{transport}")
    for transport, server, client in itertools.product(TRANSPORTS, LANGUAGES, LANGUAGES)
]

Start = Callable[..., Child]


def say(text: str) -> None:
    print(f"\n  {text}", end="", flush=True)


@pytest.mark.parametrize(("server_language", "client_language", "transport"), PAIRS)
def test_pair(
    start: Start,
    server_language: str,
    client_language: str,
    transport: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = start(server_language, "server", f"{transport}://127.0.0.1:0")
    client = start(client_language, "client", server.first[0])
    assert client.first == {"transport": transport}

    unary = client.ask(f"unary {CALLS}")["seconds"]
    stream = client.ask(f"stream {ITEMS}")["seconds"]

    # Client to server. An error on the way shows in both processes' memory alike: look at each by itself.
    client.ask(f"prepare {ROWS} {COLUMNS} 17")
    sender_idle, receiver_idle = client.resident(), server.resident()
    put = client.ask("put")["seconds"]
    put_sender, put_receiver = client.peak() - sender_idle, server.peak() - receiver_idle
    client.ask("drop")

    # Server to client.
    client.ask(f"prepare_server {ROWS} {COLUMNS} 99")
    sender_idle, receiver_idle = server.resident(), client.resident()
    get = client.ask("get")["seconds"]
    get_sender, get_receiver = server.peak() - sender_idle, client.peak() - receiver_idle
    client.ask("drop_server")

    with capsys.disabled():
        say(f"{client_language} calls {server_language} over {transport}: {CALLS} calls {unary:.2f} s, ")
        print(f"{ITEMS} items {stream:.2f} s, 1 GiB there {put:.2f} s, back {get:.2f} s with checksums; ", end="")
        print(
            f"peak MiB above idle: receiver {put_receiver:.0f} and {get_receiver:.0f}, "
            f"sender {put_sender:.0f} and {get_sender:.0f}",
            end="",
        )
    assert put_receiver < RECEIVER
    assert get_receiver < RECEIVER
    assert put_sender < SENDER
    assert get_sender < SENDER


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("client_language", LANGUAGES)
def test_a_killed_server_fails_what_is_pending(
    start: Start, client_language: str, transport: str, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start("cpp", "server", f"{transport}://127.0.0.1:0")
    client = start(client_language, "client", server.first[0])
    client.tell("pending 100")
    assert client.read() == {}
    time.sleep(0.3)  # until all are on their way
    killed = time.monotonic()
    server.process.kill()
    ended = client.read()
    took = ended["last"] - killed
    with capsys.disabled():
        say(f"{client_language} over {transport}: 100 calls failed within {took * 1000:.1f} ms of SIGKILL")
    assert ended["codes"] == {"unavailable": 100}
    assert server.first[0] in ended["example"]
    assert 0 < took < 1


@pytest.mark.parametrize(("server_language", "client_language", "transport"), PAIRS)
def test_a_handler_that_throws(start: Start, server_language: str, client_language: str, transport: str) -> None:
    server = start(server_language, "server", f"{transport}://127.0.0.1:0")
    client = start(client_language, "client", server.first[0])
    assert "the shutter is stuck" in client.ask("fail")["error"]
    client.ask("unary 10")  # it serves on
