// The client's end of a call that streams, as leat/_aio_stream.py drives it on an event loop.
#pragma once

#include <memory>
#include <optional>

#include <leat/message.h>
#include <leat/metadata.h>
#include <leat/service.h>
#include <leat/status.h>

#include "loop.h"
#include "method.h"
#include "python.h"
#include "stream.h"

namespace leat::python {

/// Nothing here waits, except wait_for_metadata(). Used on the loop's thread, with the GIL, which is released
/// around everything that takes a connection's lock.
class AioStream {
 public:
  /// `owner`: the call ends with this, as against what only writes its requests.
  AioStream(Started started, std::shared_ptr<const Method> method, Loop loop, bool owner)
      : call_(std::move(started.call)),
        feed_(std::move(started.feed)),
        method_(std::move(method)),
        loop_(std::move(loop)),
        owner_(owner) {}
  AioStream(const AioStream&) = delete;
  AioStream& operator=(const AioStream&) = delete;
  ~AioStream();

  /// The next reply; PENDING if it is not here yet. The end is StopAsyncIteration, after the failure if that
  /// is how the call ended.
  py::object read();
  /// Drops what has come. True once the call has ended.
  bool drain();
  /// Sends a request, the only item of a list, so that whether somebody else holds it can be seen. True if it
  /// has left, false if there is no room now (flush() tries again), None if the call has ended.
  py::object write(const py::list& box);
  py::object flush();
  /// After None: why, as the error that it is.
  void raise_unsent();
  /// No more requests.
  void half_close();
  /// Ends the call unless it has ended; what was not read is given up.
  void cancel();
  /// Resolves asyncio's future when another try is worthwhile, or the call has ended. One at a time for each
  /// moment.
  void wait(py::object future, Moment moment);
  /// Once drain() says so: a failure is raised, each time.
  void finish();
  /// None before the first reply, or the end.
  [[nodiscard]] py::object metadata();
  /// Blocks until it is here; for a thread that may.
  [[nodiscard]] py::object wait_for_metadata();
  /// None before the end.
  [[nodiscard]] py::object trailing_metadata() const;

 private:
  void take_end();
  void raise_failure();

  std::shared_ptr<ClientCall> call_;  // null once it has ended
  std::shared_ptr<Feed> feed_;
  std::shared_ptr<const Method> method_;
  Loop loop_;
  bool owner_;
  bool replied_ = false;
  bool given_up_ = false;
  bool failure_told_ = false;
  std::optional<Payload> unsent_;
  Status refused_;
  // Once it has ended.
  Status status_;
  Metadata initial_;
  Metadata trailing_;
};

}  // namespace leat::python
