#include "stream.h"

#include <utility>

#include "bindings.h"
#include "error.h"
#include "gil.h"
#include "options.h"

namespace leat::python {

// ---- requests from an iterator

Feed::Feed(std::shared_ptr<ClientCall> call, std::shared_ptr<const Method> method, py::object requests)
    : call_(std::move(call)), method_(std::move(method)), requests_(requests.release().ptr()) {}

Feed::~Feed() {
  // The last owner may be any thread, without the GIL.
  if (requests_ != nullptr) const SharedObject later(steal(requests_));
  if (failure_ != nullptr) const SharedObject later(steal(failure_));
}

void Feed::start() {
  const py::cpp_function body([self = shared_from_this()] { self->run(); });
  try {
    py::module_::import("leat._feed").attr("start")(body);
  } catch (py::error_already_set&) {
    const ReleaseGil released;
    call_->cancel();
    throw;
  }
}

void Feed::run() {
  try {
    while (const py::object request = steal(PyIter_Next(requests_))) {
      Payload payload = method_->encode(request.ptr(), Sharing::kIfUnchanged, Py_REFCNT(request.ptr()) == 1);
      const Status sent = [&] {
        const ReleaseGil released;
        return call_->write(std::move(payload));
      }();
      if (!sent.ok()) return stop();  // the call has ended, and its end says why
    }
    if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  } catch (py::error_already_set& error) {
    if (error.trace()) PyException_SetTraceback(error.value().ptr(), error.trace().ptr());
    failure_ = py::object(error.value()).release().ptr();
  } catch (const py::builtin_exception& error) {
    error.set_error();
    const py::error_already_set fetched;
    failure_ = py::object(fetched.value()).release().ptr();
  }
  stop();
  const ReleaseGil released;
  if (failure_ != nullptr) {
    call_->cancel();
  } else {
    (void)call_->half_close();
  }
}

/// Closes the iterator, so that a generator's `finally` runs, here and now.
void Feed::stop() noexcept {
  try {
    const py::object requests = steal(std::exchange(requests_, nullptr));
    if (py::hasattr(requests, "close")) requests.attr("close")();
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("closing the requests of a call");
  }
}

void Feed::raise_failure() const {
  if (failure_ == nullptr) return;
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(failure_)), failure_);
  throw py::error_already_set();
}

// ---- the call

/// Keeps a second thread from reading, or writing, the same stream, which holds for generators too.
class ClientStream::Use {
 public:
  Use(bool& taken, const char* why) : taken_(taken) {
    if (taken) throw py::value_error(why);
    taken = true;
  }
  ~Use() { taken_ = false; }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  bool& taken_;
};

namespace {

constexpr const char* kBeingRead = "the stream is being read by another thread";
constexpr const char* kBeingWritten = "the stream is being written by another thread";

}  // namespace

ClientStream::~ClientStream() {
  if (!call_) return;
  const ReleaseGil released;
  call_->cancel();  // a feed may hold it too
  call_.reset();
}

ClientStream::End ClientStream::take_end(ClientCall& call) {
  End end;
  end.status = call.finish();
  end.initial = call.initial_metadata();
  end.trailing = call.trailing_metadata();
  return end;
}

void ClientStream::ended(End end) {
  end_ = std::move(end);
  std::shared_ptr<ClientCall> call = std::move(call_);
  const ReleaseGil released;
  call.reset();
}

void ClientStream::raise_failure() {
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (given_up_ || end_->status.ok()) return;
  failure_told_ = true;
  if (feed_) feed_->raise_failure();
  raise_end(*method_, end_->status);
}

py::object ClientStream::read() {
  // Code in C that takes items without end (list, sum) runs no signal handler between them.
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  const Use use(reading_, kBeingRead);
  if (!call_) {
    if (end_ && !failure_told_) raise_failure();
    return {};
  }
  const std::shared_ptr<ClientCall> call = call_;
  std::optional<Payload> item;
  std::optional<End> end;
  const bool waits = [&] {
    const ReleaseGilIfTaken kept;
    Polled polled = call->try_read();
    item = std::move(polled.message);
    return polled.pending;
  }();
  if (!item) {
    const ReleaseGil released;
    if (waits) item = call->read();
    if (!item) end = take_end(*call);
  }
  if (end) {
    ended(std::move(*end));
    raise_failure();
    return {};
  }
  try {
    return method_->decode(*item);
  } catch (...) {
    cancel();
    given_up_ = true;
    throw;
  }
}

py::object ClientStream::next() {
  py::object item = read();
  if (!item) throw py::stop_iteration();
  return item;
}

void ClientStream::finish() {
  const Use use(reading_, kBeingRead);
  if (call_) {
    const std::shared_ptr<ClientCall> call = call_;
    End end;
    {
      const ReleaseGil released;
      end = take_end(*call);
    }
    ended(std::move(end));
  }
  if (!end_) return;
  if (given_up_ && !end_->status.ok()) raise_end(*method_, end_->status);  // asked for, so said
  raise_failure();
}

void ClientStream::cancel() {
  if (!call_) return;
  const std::shared_ptr<ClientCall> call = call_;
  if (reading_ || writing_) {  // another thread waits: end its wait, which tells it so, and it clears up
    const ReleaseGil released;
    call->cancel();
    return;
  }
  given_up_ = true;
  End end;
  {
    const ReleaseGil released;
    call->cancel();
    end = take_end(*call);
  }
  if (call_) ended(std::move(end));
}

void ClientStream::write(PyObject* request) {
  const Use use(writing_, kBeingWritten);
  Payload payload = method_->encode(request, Sharing::kIfUnchanged, false);
  Status sent;
  if (call_) {
    const std::shared_ptr<ClientCall> call = call_;
    const Result<bool> tried = [&] {
      const ReleaseGilIfTaken kept(payload.byte_size());
      return call->try_write(payload);
    }();
    if (!tried) {
      sent = tried.error();
    } else if (!*tried) {
      const ReleaseGil released;
      sent = call->write(std::move(payload));
    }
  } else {
    sent = given_up_           ? Status(Code::kCancelled, "the call was given up")
           : end_->status.ok() ? Status(Code::kCancelled, "the call has ended")
                               : end_->status;
  }
  if (sent.ok()) return;
  raise(sent.with_context(method_->where()));
}

void ClientStream::half_close() {
  if (!call_) return;
  const std::shared_ptr<ClientCall> call = call_;
  const ReleaseGil released;
  (void)call->half_close();  // what fails here fails the call
}

py::object ClientStream::metadata() {
  if (!call_) return end_ ? py::object(from_metadata(end_->initial)) : py::object(py::dict());
  const std::shared_ptr<ClientCall> call = call_;
  Metadata metadata;
  {
    const ReleaseGil released;
    metadata = call->initial_metadata();
  }
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  return from_metadata(metadata);
}

py::object ClientStream::trailing_metadata() const {
  if (!end_) return py::none();
  return from_metadata(end_->trailing);
}

py::object Upload::reply() {
  if (reply_) return reply_;
  half_close();
  py::object reply = read();
  finish();
  if (!reply) raise({Code::kInternal, method().where() + " ended without an answer"});
  reply_ = reply;
  return reply;
}

// ---- the module's

namespace {

template <class Stream>
py::class_<Stream> define(py::module_& module, const char* name) {
  py::class_<Stream> type(module, name);
  type.def("__enter__", [](const py::object& self) { return self; })
      .def("cancel", &Stream::cancel)
      .def_property_readonly("metadata", &Stream::metadata)
      .def_property_readonly("trailing_metadata", &Stream::trailing_metadata);
  return type;
}

}  // namespace

void bind_stream(py::module_& module) {
  define<ItemStream>(module, "ItemStream")
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__", &ItemStream::next)
      .def("__exit__", [](ItemStream& self, const py::args& /*error*/) { self.cancel(); })
      .def("close", &ItemStream::cancel)
      .def("finish", &ItemStream::finish);
  define<Upload>(module, "Upload")
      .def("write", &Upload::send, py::arg("request"))
      .def("finish", &Upload::reply)
      .def("__exit__", [](Upload& self, const py::object& kind, const py::args& /*error*/) {
        if (kind.is_none()) {
          self.reply();
        } else {
          self.cancel();
        }
      });
  define<Exchange>(module, "Exchange")
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__", &Exchange::next)
      .def("next", &Exchange::next)
      .def("write", &Exchange::send, py::arg("request"))
      .def("close", &Exchange::close)
      .def("finish", &Exchange::finish)
      .def("__exit__", [](Exchange& self, const py::args& /*error*/) { self.cancel(); });
}

}  // namespace leat::python
