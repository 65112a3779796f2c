"""gRPC for Python's asyncio, which its documentation recommends for speed over threads; set up as grpcio_peer.py."""

from __future__ import annotations

import asyncio

import contestant
import grpc
import numpy as np
from contestant import Options

OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
METHOD = "/bench.Work/Echo"


class Work(grpc.GenericRpcHandler):
    def __init__(self, options: Options) -> None:
        async def echo(value: bytes, context: grpc.aio.ServicerContext) -> bytes:
            return options.spoilt(value)

        self._echo = grpc.unary_unary_rpc_method_handler(echo)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return self._echo


async def run_server(options: Options) -> None:
    server = grpc.aio.server(handlers=[Work(options)], options=OPTIONS)
    port = server.add_insecure_port(options.address)
    await server.start()
    contestant.announce(f"127.0.0.1:{port}")
    await server.wait_for_termination()


async def calls(options: Options) -> None:
    async with grpc.aio.insecure_channel(options.address, OPTIONS) as channel:
        await contestant.measure_async(options, channel.unary_unary(METHOD))


async def array(options: Options) -> None:
    async with grpc.aio.insecure_channel(options.address, OPTIONS) as channel:
        echo = channel.unary_unary(METHOD)

        async def call(large: np.ndarray) -> np.ndarray:
            return np.frombuffer(await echo(large.tobytes()), np.uint8)

        await contestant.measure_array_async(options, call)


if __name__ == "__main__":
    contestant.main(
        lambda options: asyncio.run(run_server(options)),
        {
            "unary": lambda options: asyncio.run(calls(options)),
            "calls": lambda options: asyncio.run(calls(options)),
            "array": lambda options: asyncio.run(array(options)),
        },
    )
