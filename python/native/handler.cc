#include "handler.h"

#include <algorithm>
#include <vector>

#include "error.h"

namespace leat::python {
namespace {

/// Thread identifiers of running handlers; guarded by the GIL.
std::vector<unsigned long>& running() {
  static auto* threads = new std::vector<unsigned long>;
  return *threads;
}

class Running {
 public:
  Running() : thread_(PyThread_get_thread_ident()) { running().push_back(thread_); }
  ~Running() { running().erase(std::ranges::find(running(), thread_)); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  unsigned long thread_;
};

/// The contextvars that Python code sees.
class Entered {
 public:
  explicit Entered(py::object variables) : variables_(std::move(variables)) {
    if (PyContext_Enter(variables_.ptr()) != 0) throw py::error_already_set();
  }
  ~Entered() { PyContext_Exit(variables_.ptr()); }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  py::object variables_;
};

}  // namespace

Handling::~Handling() { finish(); }

void Handling::finish() noexcept {
  if (!python_.context) return;
  const TakeGil gil;
  if (gil.held()) {
    done();
  } else {  // exiting: nobody frees them any more
    (void)python_.context.release();
    (void)python_.variables.release();
  }
}

Status Handling::run(const std::function<void()>& body) {
  const TakeGil gil;
  if (!gil.held()) return {Code::kUnavailable, "the server is exiting"};
  try {
    if (!python_.context) python_ = make_context(call_);
    const Running now;
    const Entered entered(python_.variables);
    body();
    return {};
  } catch (py::error_already_set& error) {
    return status_of(error, where_);
  } catch (const std::exception& error) {
    return {Code::kInternal, where_ + ": " + error.what()};
  }
}

void Handling::done() noexcept {
  if (!python_.context) return;
  detached_ = end_context(python_.context);
  python_ = {};
}

Status Handling::conclude(Status status) {
  finish();
  if (!detached_) return status;
  detached_->finish(status);
  detached_.reset();
  return status;
}

Result<Payload> read_request(ServerCall& call) {
  Result<std::optional<Payload>> request = call.read();
  if (!request) return failure(request.error());
  if (!*request) return failure(Code::kInvalidArgument, "the call came without a request");
  return std::move(**request);
}

Status Handling::push_items(PyObject* iterator, const Encode& encode) {
  Status status;
  while (true) {
    if (call_.context().cancelled()) {
      status = Status(Code::kCancelled, "nobody waits for the stream any more");
      break;
    }
    Payload item;
    bool more = false;
    status = run([&] {
      const py::object next = steal(PyIter_Next(iterator));
      if (!next) {
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        return;
      }
      item = encode(next.ptr(), Py_REFCNT(next.ptr()) == 1);
      note_reply(python_.context);
      more = true;
    });
    if (!status.ok() || !more) break;
    status = call_.write(std::move(item));
    if (!status.ok()) break;
  }
  close(iterator);
  return status;
}

void Handling::close(PyObject* iterator) {
  const Status status = run([this, iterator] {
    const py::object owned = steal(iterator);
    if (py::hasattr(owned, "close")) owned.attr("close")();
    done();
  });
  (void)status;  // run() has logged it, and nobody listens
}

std::size_t interrupt_handlers() {
  for (const unsigned long thread : running()) PyThreadState_SetAsyncExc(thread, PyExc_SystemExit);
  return running().size();
}

}  // namespace leat::python
