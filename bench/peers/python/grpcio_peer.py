"""gRPC for Python, threads. As its documentation recommends for speed: one channel for all calls, generic handlers
that pass bytes (no protobuf to pay for), messages of any size allowed."""

from __future__ import annotations

from concurrent import futures

import contestant
import grpc
import numpy as np
from contestant import Options

OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
METHOD = "/bench.Work/Echo"


class Work(grpc.GenericRpcHandler):
    def __init__(self, options: Options) -> None:
        spoilt = options.spoilt
        self._echo = grpc.unary_unary_rpc_method_handler(lambda value, context: spoilt(value))

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return self._echo


def serve(options: Options) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(), handlers=[Work(options)], options=OPTIONS)
    port = server.add_insecure_port(options.address)
    server.start()
    contestant.announce(f"127.0.0.1:{port}")
    server.wait_for_termination()


def unary(options: Options) -> None:
    with grpc.insecure_channel(options.address, OPTIONS) as channel:
        contestant.measure(options, channel.unary_unary(METHOD))


def calls(options: Options) -> None:
    with grpc.insecure_channel(options.address, OPTIONS) as channel:
        contestant.measure_window(options, channel.unary_unary(METHOD).future, lambda call: call.result())


def array(options: Options) -> None:
    with grpc.insecure_channel(options.address, OPTIONS) as channel:
        echo = channel.unary_unary(METHOD)
        contestant.measure_array(options, lambda large: np.frombuffer(echo(large.tobytes()), np.uint8))


if __name__ == "__main__":
    contestant.main(serve, {"unary": unary, "calls": calls, "array": array})
