// Handlers that are coroutines or asynchronous generators: they run on an event loop, and no thread of Leat's
// waits for them. What of it is Python stands in leat/_aio_handler.py.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include <leat/message.h>
#include <leat/service.h>
#include <leat/status.h>

#include "array.h"
#include "context.h"
#include "handler_loop.h"
#include "python.h"

namespace leat::python {

/// What a service does for a call that is answered on a loop. With the GIL. It lives as long as its calls.
class LoopService {
 public:
  LoopService() = default;
  LoopService(const LoopService&) = delete;
  LoopService& operator=(const LoopService&) = delete;
  virtual ~LoopService() = default;

  /// What the method returns: a coroutine, above all.
  [[nodiscard]] virtual py::object invoke(std::size_t method, ServerCall& call, const py::object& context,
                                          Payload request) const = 0;
  /// What a handler gives and can't be sent is the handler's mistake: kInternal.
  [[nodiscard]] virtual Payload encode(std::size_t method, const std::string& where, PyObject* object,
                                       bool exclusive, Sharing sharing) const = 0;
  /// True if what the handler has given at last is to be iterated. A Python error if that can't be.
  [[nodiscard]] virtual bool streams(std::size_t method, const ServerCall& call,
                                     const py::object& result) const = 0;
  /// What is sent before the first item of a stream, if anything.
  [[nodiscard]] virtual std::optional<Payload> prelude() const = 0;
};

/// A call on its way to a loop.
struct ForLoop {
  const LoopService* service;
  std::size_t method;
  std::string where;  ///< "scope.snap"
  Payload request;
};

/// Has a loop answer the call; without the GIL, on the thread that was to answer it. What it returns is what
/// Service::handle_call() is to.
[[nodiscard]] Status answer_on_loop(ServerCall& call, ForLoop what, const Loop& loop);
/// The same once the handler has been called, inside Handling::run(): `result` is a coroutine or an
/// asynchronous generator, `python` what Handling::hand_over() gave. To be pushed to the loop after run();
/// null if the call can't be answered later.
[[nodiscard]] std::shared_ptr<LoopQueue::Item> prepare_for_loop(ForLoop what, const Loop& loop,
                                                                CallContext python, py::object result);
/// Why not.
[[nodiscard]] Status not_for_loop(const std::string& where);

/// True for coroutines and asynchronous generators: what runs on a loop. With the GIL.
[[nodiscard]] bool is_for_loop(PyObject* result);
/// True for a function, method or callable object whose calls give such.
[[nodiscard]] bool is_async(const py::object& function);

}  // namespace leat::python
