// What all Python services have in common: running Python code on Leat's threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <leat/message.h>
#include <leat/service.h>
#include <leat/status.h>

#include "context.h"
#include "gil.h"
#include "python.h"

namespace leat::python {

/// Encodes what a handler gave; `exclusive`: nobody else holds it.
using Encode = std::function<Payload(PyObject* object, bool exclusive)>;
/// Turns a message into what Python gets; holds the GIL. A Python error for one that makes no sense.
using Decode = std::function<py::object(const Payload&)>;

/// How many calls of a method may run at a time, by the attribute's name; methods not here have no limit of
/// their own.
using MethodLimits = std::map<std::string, std::uint32_t, std::less<>>;

/// One call that Python code answers, on the thread of Leat's that was given it. Made and used without the
/// GIL.
class Handling {
 public:
  /// `where` is what the log calls the handler: "scope.snap".
  Handling(ServerCall& call, std::string where) : call_(call), where_(std::move(where)) {}
  Handling(const Handling&) = delete;
  Handling& operator=(const Handling&) = delete;
  ~Handling();

  [[nodiscard]] ServerCall& call() const noexcept { return call_; }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }

  /// Runs `body` with the GIL and with leat.context(), and turns what it throws into a status, which is
  /// logged. Status(kUnavailable) without running it if the interpreter is exiting.
  [[nodiscard]] Status run(const std::function<void()>& body);
  /// Inside run().
  [[nodiscard]] const py::object& context() const noexcept { return python_.context; }
  /// Inside run(), at its end: no Python code will run for this call any more. (conclude() sees to it too,
  /// but must take the GIL for it.)
  void done() noexcept;

  /// Inside run(): somebody else goes on with the call, which this has nothing to do with any more.
  [[nodiscard]] CallContext hand_over() noexcept { return std::exchange(python_, {}); }

  /// Pushes the items of an iterator to the caller until it ends or nobody listens any more; then closes it,
  /// so that a generator's `finally` runs. Takes over the reference.
  [[nodiscard]] Status push_items(PyObject* iterator, const Encode& encode);

  /// What Service::handle_call() is to return, after all else.
  [[nodiscard]] Status conclude(Status status);

 private:
  void finish() noexcept;
  void close(PyObject* iterator);

  ServerCall& call_;
  std::string where_;
  CallContext python_;
  std::shared_ptr<ServerCall> detached_;
};

/// The request of a call that has one.
[[nodiscard]] Result<Payload> read_request(ServerCall& call);

/// The requests of a streaming call, as an iterator for its handler: for sync code and (`async for`) for
/// coroutines. The GIL is held.
[[nodiscard]] py::object make_requests(py::object context, Decode decode);

/// For handlers that outlast the interpreter's patience: raises SystemExit in every thread that runs one now.
/// The GIL is held. Returns how many there are.
std::size_t interrupt_handlers();

}  // namespace leat::python
