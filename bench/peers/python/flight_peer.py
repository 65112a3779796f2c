"""Arrow Flight: small calls as actions, arrays by an exchange that stays open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import contestant
import numpy as np
import pyarrow as pa
import pyarrow.flight as flight
from contestant import Options

SCHEMA = pa.schema([("data", pa.uint8())])


class Server(flight.FlightServerBase):
    def __init__(self, options: Options) -> None:
        super().__init__(options.address)
        self._options = options

    def do_action(self, context: flight.ServerCallContext, action: flight.Action) -> Iterator[bytes]:
        yield self._options.spoilt(action.body.to_pybytes())

    def do_exchange(
        self,
        context: flight.ServerCallContext,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        writer.begin(SCHEMA)
        for chunk in reader:
            writer.write_batch(chunk.data)


def serve(options: Options) -> None:
    server = Server(options)
    contestant.announce(f"grpc://127.0.0.1:{server.port}")
    server.serve()


def unary(options: Options) -> None:
    with flight.connect(options.address) as client:

        def call(value: bytes) -> Any:
            (result,) = client.do_action(flight.Action("echo", value))
            return result.body.to_pybytes()

        contestant.measure(options, call)


def array(options: Options) -> None:
    with flight.connect(options.address) as client:
        writer, reader = client.do_exchange(flight.FlightDescriptor.for_command(b"echo"))
        with writer:
            writer.begin(SCHEMA)

            def call(large: np.ndarray[Any, Any]) -> Any:
                writer.write_batch(pa.record_batch([pa.array(large)], schema=SCHEMA))
                return reader.read_chunk().data.column(0).to_numpy()

            contestant.measure_array(options, call)
            writer.done_writing()


if __name__ == "__main__":
    contestant.main(serve, {"unary": unary, "array": array})
