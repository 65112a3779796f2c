// Calls made on an asyncio event loop: nothing here waits. What a call waits for is told on Leat's threads,
// which push to the loop's queue and never take the GIL.
#pragma once

#include <string>
#include <utility>

#include "aio_stream.h"
#include "caller.h"
#include "loop.h"
#include "method.h"
#include "python.h"

namespace leat::python {

/// Somebody to call, on an event loop.
class AioCaller final : public CallerHandle {
 public:
  AioCaller(const CallerHandle& whom, Loop loop)
      : CallerHandle(whom.caller(), whom.defaults()), url_(whom.url()), loop_(std::move(loop)) {}
  [[nodiscard]] const Loop& loop() const noexcept { return loop_; }
  [[nodiscard]] std::string url() const override { return url_; }

 private:
  std::string url_;
  Loop loop_;
};

/// Starts a call with one answer, or an object's, and gives a leat.aio.Call, which is asyncio's future of it.
/// What goes wrong later is in the future. On the loop's thread (RuntimeError elsewhere), with the GIL.
[[nodiscard]] py::object call_on_loop(const Target& target, Arguments arguments, const Loop& loop);
/// Starts a call that streams, for Python to read and write: a leat.aio.Stream, Upload or Exchange.
[[nodiscard]] py::object stream_on_loop(const Target& target, Arguments arguments, const Loop& loop);
/// Starts a call and forgets it.
void oneway_on_loop(const Target& target, Arguments arguments, const Loop& loop);

/// A callable Python object for the method of an object, whose calls are awaited.
[[nodiscard]] py::object make_awaited_method(Target target, Loop loop);

}  // namespace leat::python
