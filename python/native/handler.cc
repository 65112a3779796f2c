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

void close_iterator(PyObject* iterator, std::string_view where) {
  const Status status = run_python(where, [iterator] {
    const py::object owned = steal(iterator);
    if (py::hasattr(owned, "close")) owned.attr("close")();
  });
  (void)status;  // run_python() has logged it, and nobody listens
}

}  // namespace

Status run_python(std::string_view where, const std::function<void()>& body) {
  const TakeGil gil;
  if (!gil.held()) return {Code::kUnavailable, "the server is exiting"};
  try {
    const Running now;
    body();
    return {};
  } catch (py::error_already_set& error) {
    return status_of(error, where);
  } catch (const std::exception& error) {
    return {Code::kInternal, std::string(where) + ": " + error.what()};
  }
}

Result<Payload> read_request(ServerCall& call) {
  Result<std::optional<Payload>> request = call.read();
  if (!request) return failure(request.error());
  if (!*request) return failure(Code::kInvalidArgument, "the call came without a request");
  return std::move(**request);
}

Status push_items(ServerCall& call, PyObject* iterator, const Encode& encode, std::string_view where) {
  Status status;
  while (true) {
    if (call.context().cancelled()) {
      status = Status(Code::kCancelled, "nobody waits for the stream any more");
      break;
    }
    Payload item;
    bool more = false;
    status = run_python(where, [&] {
      const py::object next = steal(PyIter_Next(iterator));
      if (!next) {
        if (PyErr_Occurred() != nullptr) throw py::error_already_set();
        return;
      }
      item = encode(next.ptr(), Py_REFCNT(next.ptr()) == 1);
      more = true;
    });
    if (!status.ok() || !more) break;
    status = call.write(std::move(item));
    if (!status.ok()) break;
  }
  close_iterator(iterator, where);
  return status;
}

std::size_t interrupt_handlers() {
  for (const unsigned long thread : running()) PyThreadState_SetAsyncExc(thread, PyExc_SystemExit);
  return running().size();
}

}  // namespace leat::python
