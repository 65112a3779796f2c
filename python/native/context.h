// leat.context(): the call that a handler answers, as Python code sees it. A contextvar holds it, so that it
// is the same in every step of a generator and in the tasks and threads that a handler starts with its
// context.
#pragma once

#include <memory>

#include <leat/context.h>
#include <leat/service.h>

#include "python.h"

namespace leat::python {

/// A new context of a call that a handler begins to answer on this thread, and the contextvars (a
/// contextvars.Context of its own) in which leat.context() finds it. The GIL is held, here and below.
struct CallContext {
  py::object context;
  py::object variables;
};
/// `detached` is the call if it has been detached already.
[[nodiscard]] CallContext make_context(ServerCall& call, std::shared_ptr<ServerCall> detached = nullptr);

/// The contextvars that make_context() is going to give the call which begins on this thread, for the hooks
/// that run before; as long as somebody holds what this returns.
[[nodiscard]] std::shared_ptr<const py::object> prepare_variables(const Context* call);

/// The call of a context, to be used without the GIL for as long as the pointer lives: by the handler's own
/// thread as it is, for others it is detached first. RuntimeError once the handler is done.
[[nodiscard]] std::shared_ptr<ServerCall> call_of(py::handle context);
/// Detaches the call if it can be; the handler's end is then ServerCall::finish(). nullptr if it can't.
std::shared_ptr<ServerCall> detach_context(py::handle context);

/// From now on it is too late for initial metadata.
void note_reply(py::handle context) noexcept;
/// The handler is done: `context` tells of the call no more. What to finish if somebody had the call
/// detached, else nullptr.
std::shared_ptr<ServerCall> end_context(py::handle context) noexcept;

/// The handler that a call made now is made for. Keep it while the call is started.
class CurrentParent {
 public:
  CurrentParent();
  /// nullptr outside handlers, and after them.
  [[nodiscard]] Context* get() const noexcept { return call_ ? &call_->context() : nullptr; }

 private:
  std::shared_ptr<ServerCall> call_;
};

}  // namespace leat::python
