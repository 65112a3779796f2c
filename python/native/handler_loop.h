// Where the coroutines of handlers run.
#pragma once

#include <memory>
#include <mutex>

#include "loop.h"
#include "python.h"

namespace leat::python {

/// The event loop of whoever serves, or one in a thread of its own, made when it is first needed.
class HandlerLoop {
 public:
  /// One in a thread of its own.
  HandlerLoop() = default;
  explicit HandlerLoop(Loop loop) : loop_(std::move(loop)) {}
  HandlerLoop(const HandlerLoop&) = delete;
  HandlerLoop& operator=(const HandlerLoop&) = delete;
  ~HandlerLoop();

  /// Null if there is none yet. Any thread, without the GIL.
  [[nodiscard]] Loop known() const;
  /// With the GIL.
  [[nodiscard]] Loop get();
  /// Ends the thread, if there is one: cancels what runs there and waits up to so many seconds for it. With
  /// the GIL. False if that takes longer.
  bool stop(const py::object& seconds);

  /// The one that services made now belong to: that of the ServesOn around it, that of the Python code which
  /// makes them (leat._native.handler_loop, a contextvar), or one that all others share. With the GIL.
  [[nodiscard]] static std::shared_ptr<HandlerLoop> current();
  /// The contextvar's, or a new one: for a server.
  [[nodiscard]] static std::shared_ptr<HandlerLoop> for_server();

 private:
  mutable std::mutex mutex_;
  Loop loop_;
  std::shared_ptr<SharedObject> thread_;  // leat._loop.LoopThread
};

/// What is served on this thread meanwhile belongs to that loop.
class ServesOn {
 public:
  explicit ServesOn(std::shared_ptr<HandlerLoop> loop);
  ~ServesOn();
  ServesOn(const ServesOn&) = delete;
  ServesOn& operator=(const ServesOn&) = delete;

 private:
  std::shared_ptr<HandlerLoop> before_;
};

}  // namespace leat::python
