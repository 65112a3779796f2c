#include "aio_handler.h"

#include <atomic>
#include <utility>

#include "bindings.h"
#include "error.h"
#include "gil.h"

namespace leat::python {
namespace {

/// A reference that may go on any thread.
class Kept {
 public:
  Kept() = default;
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;
  ~Kept() { reset(); }
  void set(py::object object) {
    reset();
    object_ = object.release().ptr();
  }
  void reset() noexcept {
    if (object_ != nullptr) const SharedObject later(steal(std::exchange(object_, nullptr)));
  }
  [[nodiscard]] py::object take() noexcept { return steal(std::exchange(object_, nullptr)); }
  [[nodiscard]] py::object get() const noexcept { return borrow(object_); }

 private:
  PyObject* object_ = nullptr;
};

/// One call that is answered on a loop. Pushed to it once, then used there alone.
class ServedCall final : public LoopQueue::Item, public std::enable_shared_from_this<ServedCall> {
 public:
  ServedCall(std::shared_ptr<ServerCall> call, ForLoop what, Loop loop)
      : call_(std::move(call)), what_(std::move(what)), loop_(std::move(loop)) {}
  /// The loop has ended before the handler has.
  ~ServedCall() override {
    const ReleaseGil released;
    if (!finished_.exchange(true))
      call_->finish({Code::kUnavailable, what_.where + ": the event loop that it runs on has ended"});
    call_.reset();
  }

  /// The handler has been called already. With the GIL.
  void begun(CallContext python, py::object result) {
    context_.set(std::move(python.context));
    variables_.set(std::move(python.variables));
    result_.set(std::move(result));
  }

  void run() override {
    if (over()) {
      const py::object begun = result_.take();
      if (begun && py::hasattr(begun, "close")) begun.attr("close")();
      return finish({Code::kCancelled, "nobody waits for the answer"});
    }
    if (!context_.get()) {
      CallContext python = make_context(*call_, call_);
      context_.set(std::move(python.context));
      variables_.set(std::move(python.variables));
    }
    static PyObject* start = nullptr;
    task_.set(imported(start, "leat._aio_handler", "start")(shared_from_this(), variables_.take(),
                                                            py::handle(loop_.python->get()), what_.where));
    const ReleaseGilIfTaken released;
    call_->when(Moment::kEnded, [held = weak_from_this()] {
      const std::shared_ptr<ServedCall> self = held.lock();
      if (self && !self->finished_.load()) self->loop_.queue->push(std::make_shared<Cancel>(self));
    });
  }

  // For leat/_aio_handler.py.

  /// Nobody waits for the answer any more.
  [[nodiscard]] bool over() const { return call_->context().cancelled(); }
  py::object invoke() {
    if (py::object begun = result_.take()) return begun;
    return what_.service->invoke(what_.method, *call_, context_.get(), std::exchange(what_.request, {}));
  }
  /// Whether what the box holds is to be iterated.
  bool streams(const py::list& box) {
    if (!what_.service->streams(what_.method, *call_, box[0])) return false;
    if (std::optional<Payload> prelude = what_.service->prelude()) {
      note_reply(context_.get());
      (void)send(std::move(*prelude));  // a failure shows again with the first item
    }
    return true;
  }
  void reply(const py::list& box) {
    Payload reply = encode(box, Sharing::kResult);
    end_context(context_.get());
    const ReleaseGilIfTaken released(reply.byte_size());
    finish_with(call_->write_last(std::move(reply)));
  }
  /// As AioStream::write().
  py::object write(const py::list& box) {
    unsent_ = encode(box, Sharing::kIfUnchanged);
    note_reply(context_.get());
    return flush();
  }
  py::object flush() {
    if (!unsent_) return py::bool_(true);
    const Result<bool> sent = send_unsent();
    if (sent && !*sent) return py::bool_(false);
    unsent_.reset();
    if (sent) return py::bool_(true);
    told_ = true;  // and cleans up, in which nothing must disturb it
    return py::none();
  }
  void wait_writable(py::object future) {
    const ReleaseGilIfTaken released;
    call_->when(Moment::kWritable, [wake = std::make_shared<Wake>(std::move(future)), queue = loop_.queue] {
      queue->push(wake);
    });
  }
  void finish(Status status) {
    if (const py::object context = context_.take()) end_context(context);
    const ReleaseGilIfTaken released;
    finish_with(std::move(status));
  }
  void fail(const py::object& error) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
    py::error_already_set raised;
    finish(status_of(raised, what_.where));
  }

 private:
  class Cancel final : public LoopQueue::Item {
   public:
    explicit Cancel(std::shared_ptr<ServedCall> call) : call_(std::move(call)) {}
    void run() override {
      const py::object task = call_->task_.get();
      if (task && !call_->told_) task.attr("cancel")();
    }

   private:
    std::shared_ptr<ServedCall> call_;
  };

  Payload encode(const py::list& box, Sharing sharing) const {
    PyObject* object = PyList_GET_ITEM(box.ptr(), 0);
    try {
      return what_.service->encode(what_.method, what_.where, object, Py_REFCNT(object) == 1, sharing);
    } catch (const py::builtin_exception& error) {
      raise({Code::kInternal, what_.where + ": " + error.what()});
    }
  }
  Result<bool> send_unsent() {
    const ReleaseGilIfTaken released(unsent_->byte_size());
    return call_->try_write(*unsent_);
  }
  Result<bool> send(Payload payload) {
    unsent_ = std::move(payload);
    Result<bool> sent = send_unsent();
    unsent_.reset();
    return sent;
  }
  /// Without the GIL.
  void finish_with(Status status) {
    if (!finished_.exchange(true)) call_->finish(std::move(status));
  }

  std::shared_ptr<ServerCall> call_;
  ForLoop what_;
  Loop loop_;
  Kept context_;
  Kept variables_;
  Kept result_;
  Kept task_;
  std::optional<Payload> unsent_;
  bool told_ = false;  // the handler's task knows that the call is over
  std::atomic<bool> finished_{false};
};

}  // namespace

Status not_for_loop(const std::string& where) {
  return {Code::kUnimplemented, where + " answers on an event loop, which this kind of call can't wait for"};
}

Status answer_on_loop(ServerCall& call, ForLoop what, const Loop& loop) {
  std::shared_ptr<ServerCall> detached = call.detach();
  if (!detached) return not_for_loop(what.where);
  loop.queue->push(std::make_shared<ServedCall>(std::move(detached), std::move(what), loop));
  return {};
}

std::shared_ptr<LoopQueue::Item> prepare_for_loop(ForLoop what, const Loop& loop, CallContext python,
                                                  py::object result) {
  std::shared_ptr<ServerCall> detached = detach_context(python.context);
  if (!detached) {
    if (py::hasattr(result, "close")) result.attr("close")();
    return nullptr;
  }
  auto served = std::make_shared<ServedCall>(std::move(detached), std::move(what), loop);
  served->begun(std::move(python), std::move(result));
  return served;
}

bool is_for_loop(PyObject* result) {
  return PyCoro_CheckExact(result) != 0 || PyAsyncGen_CheckExact(result) != 0 ||
         (PyAIter_Check(result) != 0 && PyIter_Check(result) == 0);
}

bool is_async(const py::object& function) {
  const py::module_ inspect = py::module_::import("inspect");
  return inspect.attr("iscoroutinefunction")(function).cast<bool>() ||
         inspect.attr("isasyncgenfunction")(function).cast<bool>();
}

void bind_aio_handler(py::module_& module) {
  py::class_<ServedCall, std::shared_ptr<ServedCall>>(module, "ServedCall")
      .def("over", &ServedCall::over)
      .def("invoke", &ServedCall::invoke)
      .def("streams", &ServedCall::streams, py::arg("box"))
      .def("reply", &ServedCall::reply, py::arg("box"))
      .def("write", &ServedCall::write, py::arg("box"))
      .def("flush", &ServedCall::flush)
      .def("wait_writable", &ServedCall::wait_writable, py::arg("future"))
      .def("finish", [](ServedCall& self) { self.finish({}); })
      .def("cancelled",
           [](ServedCall& self) { self.finish({Code::kCancelled, "the handler was cancelled"}); })
      .def("fail", &ServedCall::fail, py::arg("error"));
}

}  // namespace leat::python
