"""What knocks at a listening port and is no Leat, and ports that a client reaches and that are none of Leat's."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import ssl
import struct
import threading
import time

import pytest
import zmq
from children import LANGUAGES, TRANSPORTS, wait_until  # type: ignore[import-not-found]
from raw import (  # type: ignore[import-not-found]
    HELLO,
    KIND_HELLO,
    KIND_OPEN,
    KIND_PING,
    KIND_PONG,
    SKIPPABLE,
    Start,
    close_reason,
    closed,
    frame,
    knock,
    read_frame,
    shake_hands,
    still_serving,
)


def client_hello() -> bytes:
    """The first bytes of a TLS client."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


STRANGERS = {
    "garbage": bytes(range(251, 0, -7)) * 40,
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n",
    "TLS": client_hello(),
    "a line of text": b"hello, is anybody there?\r\n" * 4,
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_strangers_are_shown_the_door(start: Start, language: str, transport: str) -> None:
    server = start(language, "server", f"{transport}://127.0.0.1:0")
    url = server.first[0]
    with still_serving(start, server, url):
        for count, (name, data) in enumerate(STRANGERS.items(), 1):
            with knock(url) as connection:
                began = time.monotonic()
                connection.sendall(data)
                assert closed(connection), f"{name}: the connection stays open"
                assert time.monotonic() - began < 1, f"{name}: not closed at once"
            assert wait_until(lambda count=count: server.ask("stats")["connections_refused"] >= count), name
    assert server.ask("stats")["connections_refused"] == len(STRANGERS)
    refused = [line for line in server.logged().splitlines() if "refused a connection" in line]
    assert len(refused) == 1, server.logged()
    assert refused[0].startswith("WARNING: ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_who_never_speaks(start: Start, language: str) -> None:
    server = start(language, "server", "tcp://127.0.0.1:0", "zmq+tcp://127.0.0.1:0")
    began = time.monotonic()
    with knock(server.first[0]) as tcp, knock(server.first[1]) as zmtp:
        for connection in (tcp, zmtp):
            connection.settimeout(8)
            assert closed(connection)
    assert 4 < time.monotonic() - began < 7
    assert wait_until(lambda: server.ask("stats")["connections_refused"] == 2)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", ["header", "body", "handshake"])
def test_a_truncated_frame(start: Start, language: str, part: str) -> None:
    server = start(language, "server", "tcp://127.0.0.1:0")
    url = server.first[0]
    hello = frame(KIND_HELLO, HELLO)
    with still_serving(start, server, url), knock(url) as connection:
        if part == "handshake":
            connection.sendall(hello[:-5])
        else:
            shake_hands(connection)
            opened = frame(KIND_OPEN, b"\x00\x00\x0finterop.Interop\x03Add\x00", stream=1 << 3 | 2, channel=2)
            connection.sendall(opened[: 7 if part == "header" else -4])
        connection.shutdown(socket.SHUT_WR)
        assert closed(connection)
    stats = server.ask("stats")
    assert stats["connections_refused"] == (1 if part == "handshake" else 0)
    assert wait_until(lambda: server.ask("stats")["connections"] == 2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_oversized_frame(start: Start, language: str) -> None:
    server = start(language, "server", "tcp://127.0.0.1:0")
    url = server.first[0]
    with still_serving(start, server, url):
        with knock(url) as connection:  # 1 GiB where 4 KiB is the most
            connection.sendall(struct.pack("<IBBHQ", 1 << 30, KIND_HELLO, 0, 0, 0))
            assert closed(connection)
        with knock(url) as connection:
            shake_hands(connection)
            connection.sendall(struct.pack("<IBBHQ", (1 << 20) + 1, KIND_OPEN, 2, 0, 1 << 3 | 2))
            code, reason = close_reason(connection)
            assert code != 0
            assert "1048577" in reason or "1 MiB" in reason or "1048576" in reason, reason
            assert closed(connection)


@pytest.mark.parametrize("language", LANGUAGES)
def test_unknown_frames(start: Start, language: str) -> None:
    server = start(language, "server", "tcp://127.0.0.1:0")
    url = server.first[0]
    with still_serving(start, server, url), knock(url) as connection:
        shake_hands(connection)
        connection.sendall(frame(0xF7, b"whatever", SKIPPABLE) + frame(KIND_PING, b"there?"))
        assert read_frame(connection) == (KIND_PONG, b"there?")
        connection.sendall(frame(0xF7, b"whatever"))
        _, reason = close_reason(connection)
        assert "0xf7" in reason or "247" in reason, reason
        assert closed(connection)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_wrong_version(start: Start, language: str) -> None:
    server = start(language, "server", "tcp://127.0.0.1:0", "zmq+tcp://127.0.0.1:0")
    strange = frame(KIND_HELLO, b"LEAT\x07\x09" + HELLO[6:])
    with still_serving(start, server, server.first[0]), knock(server.first[0]) as connection:
        connection.sendall(strange)
        code, reason = close_reason(connection)
        assert code == 9  # failed_precondition
        assert "7 to 9" in reason, reason
        assert "1" in reason
        assert closed(connection)

    dealer: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    try:
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.connect(server.first[1].removeprefix("zmq+"))
        dealer.send(strange)
        assert dealer.poll(3000), "no answer over ZeroMQ"
        assert b"7 to 9" in dealer.recv()
    finally:
        dealer.close()
    assert wait_until(lambda: server.ask("stats")["connections_refused"] == 2)


class Stranger:
    """A server of something else: it accepts, says `greeting` (None: it closes at once), and waits."""

    def __init__(self, greeting: bytes | None) -> None:
        self._greeting = greeting
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._held: list[socket.socket] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            if self._greeting is None:
                connection.close()
                continue
            self._held.append(connection)
            with contextlib.suppress(OSError):
                connection.sendall(self._greeting)

    def close(self) -> None:
        # A blocked accept() would keep the descriptor.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._held:
            connection.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_port_that_does_not_speak_leat(start: Start, language: str) -> None:
    with contextlib.ExitStack() as stack:
        urls = {}
        for name, greeting in {
            "silent": b"",
            "HTTP": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
            "SSH": b"SSH-2.0-OpenSSH_9.2p1\r\n",
            "closing": None,
        }.items():
            stranger = Stranger(greeting)
            stack.callback(stranger.close)
            for transport in TRANSPORTS:
                urls[f"{name} over {transport}"] = f"{transport}://127.0.0.1:{stranger.port}"
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        for transport in TRANSPORTS:
            urls[f"nobody over {transport}"] = f"{transport}://127.0.0.1:{port}"
            urls[f"nowhere over {transport}"] = f"{transport}://192.0.2.1:5700"  # reserved for documentation
        with concurrent.futures.ThreadPoolExecutor(len(urls)) as pool:
            clients = dict(zip(urls, pool.map(lambda url: start(language, "client", url), urls.values()), strict=True))
    problems = []
    for name, client in clients.items():
        answer = client.first
        print(f"{name}: {answer}")
        error = answer.get("error", "")
        if not error.startswith("unavailable: ") or urls[name] not in error:
            problems.append(f"{name}: {answer}")
        elif error.removeprefix("unavailable: ").strip() == urls[name]:
            problems.append(f"{name} gives no cause: {answer}")
        elif answer["seconds"] > 5.3:
            problems.append(f"{name} took {answer['seconds']:.2f} s")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_port_in_use(start: Start, language: str, transport: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"{transport}://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AssertionError, match="the peer ended with 1") as failed:
            start(language, "server", url)
    assert url in str(failed.value)
    assert "in use" in str(failed.value)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_address_beyond_this_host(start: Start, language: str, transport: str) -> None:
    url = f"{transport}://0.0.0.0:0"
    with pytest.raises(AssertionError, match="the peer ended with 1") as failed:
        start(language, "server", url)
    assert url in str(failed.value)
    assert "insecure" in str(failed.value)
