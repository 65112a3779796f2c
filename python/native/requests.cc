// The requests of a streaming call, as its handler reads them.
#include <memory>
#include <optional>
#include <utility>

#include "bindings.h"
#include "error.h"
#include "handler.h"
#include "loop.h"

namespace leat::python {
namespace {

class RequestStream {
 public:
  RequestStream(py::object context, Decode decode)
      : context_(std::move(context)), decode_(std::move(decode)) {}

  /// Blocks; StopIteration after the last one, an error if nobody waits for the answer any more.
  py::object next() {
    if (ended_) throw py::stop_iteration();
    if (on_event_loop())
      throw std::runtime_error("waiting here would keep the event loop from all else: use `async for`");
    if (in_use_) throw py::value_error("the requests are being read by another thread");
    const std::shared_ptr<ServerCall> call = call_of(context_);
    in_use_ = true;
    Result<std::optional<Payload>> request = [&] {
      const ReleaseGil released;
      return call->read();
    }();
    in_use_ = false;
    ended_ = !request || !*request;
    if (!request) raise(request.error());
    if (!*request) throw py::stop_iteration();
    return decode_(**request);
  }

  // On an event loop; see leat/_aio_handler.py.

  /// As AioStream::read().
  py::object read() {
    if (ended_) return stop();
    const std::shared_ptr<ServerCall> call = call_of(context_);
    Result<Polled> polled = [&] {
      const ReleaseGilIfTaken released;
      return call->try_read();
    }();
    if (polled && polled->pending) return py::module_::import("leat._native").attr("PENDING");
    ended_ = !polled || !polled->message;
    if (!polled) raise(polled.error());
    return ended_ ? stop() : decode_(*polled->message);
  }
  void wait_readable(py::object future, std::shared_ptr<LoopQueue> queue) {
    const std::shared_ptr<ServerCall> call = call_of(context_);
    const ReleaseGilIfTaken released;
    call->when(Moment::kReadable, [wake = std::make_shared<Wake>(std::move(future)),
                                   queue = std::move(queue)] { queue->push(wake); });
  }

 private:
  [[noreturn]] static py::object stop() {
    PyErr_SetNone(PyExc_StopAsyncIteration);
    throw py::error_already_set();
  }

  py::object context_;
  Decode decode_;
  bool in_use_ = false;
  bool ended_ = false;
};

}  // namespace

py::object make_requests(py::object context, Decode decode) {
  return py::cast(std::make_unique<RequestStream>(std::move(context), std::move(decode)));
}

void bind_requests(py::module_& module) {
  py::class_<RequestStream>(module, "RequestStream")
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__", &RequestStream::next)
      .def("__aiter__",
           [](const py::object& self) {
             return py::module_::import("leat._aio_handler").attr("Requests")(self);
           })
      .def("read", &RequestStream::read)
      .def("wait_readable", &RequestStream::wait_readable, py::arg("future"), py::arg("queue"));
}

}  // namespace leat::python
