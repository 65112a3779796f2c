#include "aio_stream.h"

#include <utility>

#include "bindings.h"
#include "error.h"
#include "gil.h"
#include "options.h"

namespace leat::python {
namespace {

PyObject* pending = nullptr;  // what read() gives when there is nothing yet

}  // namespace

AioStream::~AioStream() {
  const ReleaseGil released;
  if (owner_ && call_) call_->cancel();  // a feed may hold it too
  unsent_.reset();
  call_.reset();
}

void AioStream::take_end() {
  if (!call_) return;
  std::shared_ptr<ClientCall> call = std::move(call_);
  const ReleaseGilIfTaken released;
  status_ = call->finish();
  initial_ = call->initial_metadata();
  trailing_ = call->trailing_metadata();
  call.reset();
}

void AioStream::raise_failure() {
  if (status_.ok()) return;
  if (feed_) feed_->raise_failure();
  raise_end(*method_, status_);
}

py::object AioStream::read() {
  if (call_) {
    Polled polled;
    {
      const ReleaseGilIfTaken released;
      polled = call_->try_read();
    }
    if (polled.pending) return borrow(pending);
    if (polled.message) {
      replied_ = true;
      try {
        return method_->decode(*polled.message);
      } catch (...) {
        cancel();
        throw;
      }
    }
    take_end();
  }
  if (!given_up_ && !std::exchange(failure_told_, true)) raise_failure();
  PyErr_SetNone(PyExc_StopAsyncIteration);
  throw py::error_already_set();
}

bool AioStream::drain() {
  if (!call_) return true;
  {
    const ReleaseGilIfTaken released;
    Polled polled = call_->try_read();
    while (polled.message) polled = call_->try_read();
    if (polled.pending) return false;
  }
  take_end();
  return true;
}

py::object AioStream::write(const py::list& box) {
  PyObject* request = PyList_GET_ITEM(box.ptr(), 0);
  unsent_ = method_->encode(request, Sharing::kIfUnchanged, Py_REFCNT(request) == 1);
  return flush();
}

py::object AioStream::flush() {
  if (!unsent_) return py::bool_(true);
  if (!call_) {
    unsent_.reset();
    refused_ = given_up_      ? Status(Code::kCancelled, "the call was given up")
               : status_.ok() ? Status(Code::kCancelled, "the call has ended")
                              : status_;
    return py::none();
  }
  const Result<bool> sent = [&] {
    const ReleaseGilIfTaken released(unsent_->byte_size());
    return call_->try_write(*unsent_);
  }();
  if (sent && !*sent) return py::bool_(false);
  unsent_.reset();
  if (sent) return py::bool_(true);
  refused_ = sent.error();
  return py::none();
}

void AioStream::raise_unsent() { raise(Status(refused_).with_context(method_->where())); }

void AioStream::half_close() {
  if (!call_) return;
  const ReleaseGilIfTaken released;
  (void)call_->half_close();  // what fails here fails the call
}

void AioStream::cancel() {
  if (!call_) return;
  given_up_ = true;
  {
    const ReleaseGil released;
    call_->cancel();
  }
  if (owner_) take_end();
}

void AioStream::wait(py::object future, Moment moment) {
  const auto wake = std::make_shared<Wake>(std::move(future));
  if (!call_) return wake->run();
  const ReleaseGilIfTaken released;
  call_->when(moment, [wake, queue = loop_.queue] { queue->push(wake); });
}

void AioStream::finish() {
  take_end();
  raise_failure();
}

py::object AioStream::metadata() {
  if (!call_) return from_metadata(initial_);
  if (!replied_) return py::none();
  Metadata metadata;
  {
    const ReleaseGil released;
    metadata = call_->initial_metadata();
  }
  return from_metadata(metadata);
}

py::object AioStream::wait_for_metadata() {
  const std::shared_ptr<ClientCall> call = call_;
  if (!call) return metadata();
  Metadata metadata;
  {
    const ReleaseGil released;
    metadata = call->initial_metadata();
  }
  return from_metadata(metadata);
}

py::object AioStream::trailing_metadata() const {
  return call_ ? py::object(py::none()) : py::object(from_metadata(trailing_));
}

// ---- the module's

void bind_aio_stream(py::module_& module) {
  py::object none_yet = py::module_::import("builtins").attr("object")();
  module.attr("PENDING") = none_yet;
  pending = none_yet.release().ptr();
  const auto waits = [](Moment moment) {
    return [moment](AioStream& self, py::object future) { self.wait(std::move(future), moment); };
  };
  py::class_<AioStream>(module, "AioStream")
      .def("read", &AioStream::read)
      .def("drain", &AioStream::drain)
      .def("write", &AioStream::write, py::arg("box"))
      .def("flush", &AioStream::flush)
      .def("raise_unsent", &AioStream::raise_unsent)
      .def("half_close", &AioStream::half_close)
      .def("cancel", &AioStream::cancel)
      .def("wait_readable", waits(Moment::kReadable))
      .def("wait_writable", waits(Moment::kWritable))
      .def("wait_ended", waits(Moment::kEnded))
      .def("finish", &AioStream::finish)
      .def("metadata", &AioStream::metadata)
      .def("wait_for_metadata", &AioStream::wait_for_metadata)
      .def("trailing_metadata", &AioStream::trailing_metadata);
}

}  // namespace leat::python
