#include "aio_call.h"

#include <memory>
#include <optional>
#include <utility>

#include "answer.h"
#include "bindings.h"
#include "error.h"
#include "future.h"
#include "gil.h"
#include "late_call.h"
#include "object_method.h"
#include "options.h"

namespace leat::python {
namespace {

constexpr const char* kSubject = "this peer";

/// What of calls is Python; loaded with the first one.
struct PythonSide {
  py::object call;
  py::object stream;
  py::object upload;
  py::object exchange;
  py::object feed;
};
const PythonSide& python_side() {
  static const PythonSide* side = nullptr;  // see imported()
  if (side == nullptr) {
    const py::module_ calls = py::module_::import("leat._aio_call");
    const py::module_ streams = py::module_::import("leat._aio_stream");
    auto made =
        std::make_unique<PythonSide>(calls.attr("Call"), streams.attr("Stream"), streams.attr("Upload"),
                                     streams.attr("Exchange"), streams.attr("feed"));
    if (side == nullptr) side = made.release();
  }
  return *side;
}

/// Iterators may take their time, so a thread reads them; what can't wait is read on the loop.
bool wants_thread(PyObject* requests) { return PyIter_Check(requests) != 0 && PyAIter_Check(requests) == 0; }

std::shared_ptr<Feed> start_thread(const Target& target, const std::shared_ptr<ClientCall>& call,
                                   const py::object& requests) {
  auto feed = std::make_shared<Feed>(call, target.method, requests);
  feed->start();
  return feed;
}

/// A call with one answer. It goes on by itself, from moment to moment, and ends on the loop.
class AioCall final : public LoopQueue::Item, public std::enable_shared_from_this<AioCall> {
 public:
  AioCall(Loop loop, const py::object& future) : loop_(std::move(loop)), future_(future.inc_ref().ptr()) {}
  ~AioCall() override {
    if (future_ != nullptr) const SharedObject later(steal(future_));  // the loop is gone
  }

  /// Without the GIL.
  void begin(const Target& target, const MethodRef& method, std::optional<Payload> first,
             const CallOptions& options) {
    Result<std::unique_ptr<ClientCall>> call =
        start_without_waiting(target, method, std::move(first), options);
    if (call) {
      answer_.emplace(share(std::move(*call)), target.method);
    } else {
      answer_.emplace(call.error(), target.method);
    }
  }
  /// Any thread, one at a time.
  void go_on() {
    const std::optional<Moment> moment = answer_->advance();
    if (moment) {
      answer_->call()->when(*moment, [self = shared_from_this()] { self->go_on(); });
    } else {
      loop_.queue->push(shared_from_this());
    }
  }

  // With the GIL.
  void set_feed(std::shared_ptr<Feed> feed) { feed_ = std::move(feed); }
  void run() override {
    const py::object future = steal(std::exchange(future_, nullptr));
    if (!future) return;
    over_ = true;
    try {
      // A future that was cancelled meanwhile drops the result.
      future.attr("_settle")(answer_->is_stream() ? make_stream() : take_answer());
    } catch (py::error_already_set& error) {
      if (error.trace()) PyException_SetTraceback(error.value().ptr(), error.trace().ptr());
      future.attr("_fail")(error.value());
    }
    answer_->let_go();  // whoever keeps the future does not keep the connection
  }
  void cancel() {
    const std::shared_ptr<ClientCall> call = answer_->call();
    if (!call) return;
    const ReleaseGilIfTaken released;
    call->cancel();
  }
  [[nodiscard]] py::object metadata() const { return told(answer_->initial_metadata()); }
  [[nodiscard]] py::object trailing_metadata() const { return told(answer_->trailing_metadata()); }
  [[nodiscard]] const std::shared_ptr<ClientCall>& call() const noexcept { return answer_->call(); }

 private:
  [[nodiscard]] py::object told(const Metadata& metadata) const {
    return over_ && !answer_->is_stream() ? py::object(from_metadata(metadata)) : py::object(py::none());
  }
  [[nodiscard]] py::object make_stream() const {
    return python_side().stream(
        std::make_unique<AioStream>(Started{answer_->call(), feed_}, answer_->shared_method(), loop_, true),
        py::handle(loop_.python->get()));
  }
  [[nodiscard]] py::object take_answer() const {
    if (!answer_->status().ok() && feed_) feed_->raise_failure();
    return answer_->take();
  }

  std::optional<Answer> answer_;  // from begin() on
  Loop loop_;
  std::shared_ptr<Feed> feed_;
  PyObject* future_;  // until it is over
  bool over_ = false;
};

/// What the Python future holds of its call: a type of our own, since every call makes one.
struct CallHandle {
  PyObject_HEAD std::shared_ptr<AioCall> call;
};

PyTypeObject* handle_type = nullptr;

AioCall& call_of_handle(PyObject* self) { return *reinterpret_cast<CallHandle*>(self)->call; }

py::object make_handle(std::shared_ptr<AioCall> call) {
  PyObject* self = handle_type->tp_alloc(handle_type, 0);
  if (self == nullptr) throw py::error_already_set();
  std::construct_at(&reinterpret_cast<CallHandle*>(self)->call, std::move(call));
  return steal(self);
}

PyObject* handle_cancel(PyObject* self, PyObject* /*unused*/) {
  return guarded([self] {
    call_of_handle(self).cancel();
    return py::object(py::none());
  });
}

PyObject* handle_metadata(PyObject* self, void* /*closure*/) {
  return guarded([self] { return call_of_handle(self).metadata(); });
}
PyObject* handle_trailing_metadata(PyObject* self, void* /*closure*/) {
  return guarded([self] { return call_of_handle(self).trailing_metadata(); });
}

void handle_deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  std::destroy_at(&reinterpret_cast<CallHandle*>(self)->call);
  type->tp_free(self);
  Py_DECREF(type);
}

PyTypeObject* make_handle_type() {
  static PyMethodDef methods[] = {{"cancel", &handle_cancel, METH_NOARGS, nullptr}, {}};
  static PyGetSetDef getters[] = {{"metadata", &handle_metadata, nullptr, nullptr, nullptr},
                                  {"trailing_metadata", &handle_trailing_metadata, nullptr, nullptr, nullptr},
                                  {}};
  static PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(&handle_deallocate)},
                                {Py_tp_methods, methods},
                                {Py_tp_getset, getters},
                                {0, nullptr}};
  static PyType_Spec spec = {"leat._native.AioCall", sizeof(CallHandle), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

}  // namespace

py::object call_on_loop(const Target& target, Arguments arguments, const Loop& loop) {
  loop.check_here(kSubject);
  const PythonSide& python = python_side();
  const py::handle asyncio_loop(loop.python->get());
  const py::object future = python.call(py::arg("loop") = asyncio_loop);
  const auto call = std::make_shared<AioCall>(loop, future);
  {
    const OptionsNow options(target);
    MethodRef method = target.method->ref();
    method.kind = arguments.kind;
    const ReleaseGilIfTaken released(arguments.first ? arguments.first->byte_size() : 0);
    call->begin(target, method, std::move(arguments.first), options.get());
    if (!arguments.requests) call->go_on();
  }
  future.attr("_native") = make_handle(call);
  if (!arguments.requests) return future;
  if (call->call()) {
    if (wants_thread(arguments.requests.ptr())) {
      call->set_feed(start_thread(target, call->call(), arguments.requests));
    } else {
      future.attr("_feed") =
          python.feed(std::make_unique<AioStream>(Started{call->call(), nullptr}, target.method, loop, false),
                      arguments.requests, asyncio_loop);
    }
  }
  const ReleaseGilIfTaken released;
  call->go_on();
  return future;
}

py::object stream_on_loop(const Target& target, Arguments arguments, const Loop& loop) {
  loop.check_here(kSubject);
  const PythonSide& python = python_side();
  const py::handle asyncio_loop(loop.python->get());
  const py::object requests = std::exchange(arguments.requests, py::object());
  const CallKind kind = arguments.kind;
  const OptionsNow options(target);
  MethodRef method = target.method->ref();
  method.kind = kind;
  Result<std::unique_ptr<ClientCall>> begun = [&] {
    const ReleaseGilIfTaken released(arguments.first ? arguments.first->byte_size() : 0);
    return start_without_waiting(target, method, std::move(arguments.first), options.get());
  }();
  const std::shared_ptr<ClientCall> call = share(unwrap(std::move(begun)));
  Started started{call, nullptr};
  const bool threaded = requests && wants_thread(requests.ptr());
  if (threaded) started.feed = start_thread(target, call, requests);
  py::object native = py::cast(std::make_unique<AioStream>(std::move(started), target.method, loop, true));
  if (kind == CallKind::kClientStream && !requests) return python.upload(native, asyncio_loop);
  if (kind == CallKind::kBidi && !requests) return python.exchange(native, asyncio_loop);
  const py::object stream = python.stream(native, asyncio_loop);
  if (requests && !threaded) {
    // Not the stream's own end of the call, which nobody must keep but who reads it.
    stream.attr("_feed") =
        python.feed(std::make_unique<AioStream>(Started{call, nullptr}, target.method, loop, false), requests,
                    asyncio_loop);
  }
  return stream;
}

void oneway_on_loop(const Target& target, Arguments arguments, const Loop& loop) {
  loop.check_here(kSubject);
  if (arguments.requests) {
    if (PyAIter_Check(arguments.requests.ptr()) != 0)
      throw py::type_error(target.method->where() + ": oneway() streams iterators, not asynchronous ones");
    arguments.requests = steal(PyObject_GetIter(arguments.requests.ptr()));
    if (!arguments.requests) throw py::error_already_set();
  }
  call_oneway(target, std::move(arguments));
}

void bind_aio_call(py::module_& module) {
  handle_type = make_handle_type();
  if (handle_type == nullptr) throw py::error_already_set();
  py::class_<AioCaller, CallerHandle>(module, "AioCaller")
      .def(py::init([](const CallerHandle& caller, std::shared_ptr<LoopQueue> queue, py::object loop) {
             return std::make_unique<AioCaller>(caller, Loop(std::move(queue), std::move(loop)));
           }),
           py::arg("caller"), py::arg("queue"), py::arg("loop"))
      .def(
          "method",
          [](const AioCaller& self, std::string object, std::string method) {
            return make_awaited_method(
                self.target(make_object_method(std::move(object), std::move(method)), self.calls()),
                self.loop());
          },
          py::arg("object"), py::arg("method"));
}

}  // namespace leat::python
