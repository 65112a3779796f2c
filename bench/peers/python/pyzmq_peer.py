"""ZeroMQ from Python: DEALER to ROUTER, a message a call, arrays without copies (`copy=False`)."""

from __future__ import annotations

from typing import Any

import contestant
import zmq
from contestant import Options


def serve(options: Options) -> None:
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.sndhwm = socket.rcvhwm = 0
    socket.bind(options.address)
    contestant.announce(socket.getsockopt_string(zmq.LAST_ENDPOINT))
    large = options.work == "array"
    while True:
        if large:
            socket.send_multipart(socket.recv_multipart(copy=False), copy=False)
        else:
            peer, body = socket.recv_multipart()
            socket.send_multipart([peer, options.spoilt(body)])


def connect(options: Options) -> Any:
    socket: Any = zmq.Context.instance().socket(zmq.DEALER)
    socket.sndhwm = socket.rcvhwm = 0
    socket.linger = 0
    socket.connect(options.address)
    return socket


def unary(options: Options) -> None:
    socket = connect(options)

    def call(value: bytes) -> Any:
        socket.send(value)
        return socket.recv()

    contestant.measure(options, call)


def calls(options: Options) -> None:
    socket = connect(options)
    contestant.measure_window(options, socket.send, lambda _: socket.recv())


def array(options: Options) -> None:
    socket = connect(options)

    def call(large: Any) -> Any:
        socket.send(large, copy=False)
        return socket.recv(copy=False).buffer

    contestant.measure_array(options, call)


if __name__ == "__main__":
    contestant.main(serve, {"unary": unary, "calls": calls, "array": array})
