// The native half of leat.Future: whoever asks for the result drives the connection, as a call that blocks
// does, and no thread is needed. Only a future that somebody watches (a callback, concurrent.futures.wait) is
// completed on a thread of Leat's.
#include "future.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "answer.h"
#include "bindings.h"
#include "error.h"
#include "gil.h"
#include "options.h"
#include "stream.h"

namespace leat::python {
namespace {

// So often a thread that waits for another, which drives, looks for Ctrl-C.
constexpr Duration kInterruptSlice = std::chrono::milliseconds(50);

Duration saturating_add(TimePoint at, Duration limit) noexcept {
  return limit >= kNever - at ? kNever.time_since_epoch() : at.time_since_epoch() + limit;
}

/// The call of a future. Who goes on with it is decided under mutex_, which is taken without the GIL; what
/// has become of it is told under the GIL.
class Pending : public std::enable_shared_from_this<Pending> {
 public:
  Pending(Answer answer, std::shared_ptr<Feed> feed, std::shared_ptr<Caller> caller)
      : caller_(std::move(caller)), feed_(std::move(feed)), answer_(std::move(answer)) {}
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() {
    if (!answer_.call() || handed_over_ || (there_ && !answer_.is_stream())) return;
    answer_.call()->cancel();  // a feed may hold it too
  }

  // Without the GIL.

  /// Waits until all is there; false after `limit`, and if the wait was interrupted.
  bool wait(Duration limit) {
    const TimePoint until(Duration(saturating_add(steady_now(), limit)));
    std::unique_lock lock(mutex_);
    while (driven_) {
      const TimePoint slice = std::min(until, steady_now() + kInterruptSlice);
      changed_.wait_until(lock, slice, [this] { return !driven_; });
      if (!driven_) break;
      lock.unlock();
      if (interrupted() || steady_now() >= until) return false;
      lock.lock();
    }
    if (there_) return true;
    driven_ = true;
    lock.unlock();
    std::optional<Moment> moment = answer_.advance();
    while (moment) {
      const Duration left = until == kNever ? Duration::max() : until - steady_now();
      if (left <= Duration::zero() || !answer_.call()->wait(*moment, left)) break;
      moment = answer_.advance();
    }
    lock.lock();
    leave(lock, moment);
    return !moment;
  }

  /// True if all is there; does not wait.
  bool poll() {
    std::unique_lock lock(mutex_);
    if (driven_ || there_) return there_;
    driven_ = true;
    lock.unlock();
    const std::optional<Moment> moment = answer_.advance();
    lock.lock();
    leave(lock, moment);
    return !moment;
  }

  /// Has `future` completed on a thread of Leat's. Takes a reference over.
  void watch(PyObject* future) {
    future_ = future;
    {
      const std::lock_guard lock(mutex_);
      watched_ = true;
    }
    resume();
  }

  [[nodiscard]] const Answer& answer() const noexcept { return answer_; }
  [[nodiscard]] const std::shared_ptr<Feed>& feed() const noexcept { return feed_; }
  /// The call goes on in other hands.
  [[nodiscard]] Started hand_over() {
    handed_over_ = true;
    return {answer_.call(), feed_};
  }

 private:
  static TimePoint steady_now() noexcept { return std::chrono::steady_clock::now(); }

  /// The thread that went on with the call stops doing so; `moment` is what it waited for, if that has not
  /// come.
  void leave(std::unique_lock<std::mutex>& lock, std::optional<Moment> moment) {
    driven_ = false;
    there_ = !moment;
    const bool go_on = watched_ && moment && std::exchange(missed_, false);
    changed_.notify_all();
    lock.unlock();
    if (go_on) resume_at(*moment);
  }

  void resume_at(Moment moment) {
    answer_.call()->when(moment, [self = shared_from_this()] {
      // Python may take its time, and this is the thread that reads for everybody.
      self->caller_->post([self] { self->resume(); });
    });
  }

  void resume() {
    std::unique_lock lock(mutex_);
    if (driven_) {
      missed_ = true;  // who does go on with it comes back here if it must
      return;
    }
    std::optional<Moment> moment;
    if (!there_) {
      driven_ = true;
      lock.unlock();
      moment = answer_.advance();
      lock.lock();
      missed_ = false;
      leave(lock, moment);
    } else {
      lock.unlock();
    }
    if (moment) return resume_at(*moment);
    const TakeGil gil;
    if (gil.held()) settle();
  }
  void settle();

  std::shared_ptr<Caller> caller_;
  std::shared_ptr<Feed> feed_;
  Answer answer_;
  PyObject* future_ = nullptr;  // held while it is watched and has not been completed; under the GIL

  std::mutex mutex_;
  std::condition_variable changed_;
  bool handed_over_ = false;
  bool driven_ = false;  // a thread goes on with the call
  bool there_ = false;   // there is nothing left to go on to
  bool watched_ = false;
  bool missed_ = false;  // the moment came while another thread was at it
};

// ---- the Python object

/// What has become of the call; under the GIL.
struct Outcome {
  std::shared_ptr<Pending> pending;
  py::object result;
  py::object exception;
  bool being_completed = false;
  bool done = false;
  bool cancelled = false;
  bool watched = false;
};

struct FutureObject {
  PyObject_HEAD Outcome* outcome;
};

PyTypeObject* base_type = nullptr;

Outcome& outcome_of(PyObject* self) { return *reinterpret_cast<FutureObject*>(self)->outcome; }

void tell(PyObject* self) {
  if (!outcome_of(self).watched) return;
  try {
    py::handle(self).attr("_settle")();
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("completing a leat.Future");
  }
}

/// All is there.
void complete(PyObject* self) {
  Outcome& outcome = outcome_of(self);
  while (outcome.being_completed) {  // by a thread that let the GIL go in between
    const ReleaseGil released;
    std::this_thread::yield();
  }
  if (outcome.done) return;
  outcome.being_completed = true;
  const Answer& answer = outcome.pending->answer();
  try {
    if (answer.is_stream()) {
      outcome.result =
          py::cast(std::make_unique<ItemStream>(outcome.pending->hand_over(), answer.shared_method()));
    } else {
      if (!answer.status().ok() && outcome.pending->feed()) outcome.pending->feed()->raise_failure();
      outcome.result = answer.take();
    }
  } catch (py::error_already_set& error) {
    if (error.trace()) PyException_SetTraceback(error.value().ptr(), error.trace().ptr());
    outcome.exception = error.value();
  }
  outcome.being_completed = false;
  if (std::exchange(outcome.done, true)) return;  // cancelled meanwhile
  tell(self);
}

/// Waits until the call is over. TimeoutError after the limit.
void wait(PyObject* self, const py::object& timeout) {
  const std::optional<Duration> limit = to_duration(timeout, "timeout");
  Outcome& outcome = outcome_of(self);
  if (outcome.done) return;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  const std::shared_ptr<Pending> pending = outcome.pending;
  const bool there = [&] {
    {
      const ReleaseGilIfTaken kept;
      if (pending->poll()) return true;
    }
    const ReleaseGil released;
    return pending->wait(limit.value_or(Duration::max()));
  }();
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (outcome.done) return;
  if (!there) {
    const py::object type = py::module_::import("concurrent.futures").attr("TimeoutError");
    PyErr_SetString(type.ptr(), "the call has not ended yet");
    throw py::error_already_set();
  }
  complete(self);
}

[[noreturn]] void raise_cancelled() {
  PyErr_SetNone(py::object(py::module_::import("concurrent.futures").attr("CancelledError")).ptr());
  throw py::error_already_set();
}

/// The one optional argument of result() and exception(), by position or as `timeout=`.
py::object timeout_argument(PyObject* args, PyObject* kwargs, const char* format) {
  static const char* const kNames[] = {"timeout", nullptr};
  PyObject* timeout = Py_None;
  if (PyArg_ParseTupleAndKeywords(args, kwargs, format, const_cast<char**>(kNames), &timeout) == 0)
    throw py::error_already_set();
  return borrow(timeout);
}

PyObject* result(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    Outcome& outcome = outcome_of(self);
    wait(self, timeout_argument(args, kwargs, "|O:result"));
    if (outcome.cancelled) raise_cancelled();
    if (outcome.exception) {
      PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(outcome.exception.ptr())), outcome.exception.ptr());
      throw py::error_already_set();
    }
    return outcome.result;
  });
}

PyObject* exception(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    wait(self, timeout_argument(args, kwargs, "|O:exception"));
    const Outcome& outcome = outcome_of(self);
    if (outcome.cancelled) raise_cancelled();
    return outcome.exception ? outcome.exception : py::none();
  });
}

bool is_done(PyObject* self) {
  Outcome& outcome = outcome_of(self);
  if (outcome.done) return true;
  const std::shared_ptr<Pending> pending = outcome.pending;
  const bool there = [&] {
    const ReleaseGilIfTaken released;
    return pending->poll();
  }();
  if (there) complete(self);
  return outcome.done;
}

PyObject* done(PyObject* self, PyObject* /*unused*/) {
  return guarded([&] { return py::object(py::bool_(is_done(self))); });
}

PyObject* running(PyObject* self, PyObject* /*unused*/) {
  return guarded([&] { return py::object(py::bool_(!is_done(self))); });
}

PyObject* cancelled(PyObject* self, PyObject* /*unused*/) {
  return PyBool_FromLong(outcome_of(self).cancelled ? 1 : 0);
}

PyObject* cancel(PyObject* self, PyObject* /*unused*/) {
  return guarded([&] {
    Outcome& outcome = outcome_of(self);
    if (!is_done(self)) {
      outcome.done = outcome.cancelled = true;
      const std::shared_ptr<ClientCall> call = outcome.pending->answer().call();
      {
        const ReleaseGil released;
        call->cancel();
      }
      tell(self);
    }
    return py::object(py::bool_(outcome.cancelled));
  });
}

/// From now on the future is completed without being asked, and its `_settle()` called; unless it is done.
PyObject* watch(PyObject* self, PyObject* /*unused*/) {
  return guarded([&] {
    Outcome& outcome = outcome_of(self);
    if (outcome.done || outcome.watched) return py::object(py::bool_(!outcome.done));
    outcome.watched = true;
    const std::shared_ptr<Pending> pending = outcome.pending;
    Py_INCREF(self);
    const ReleaseGilIfTaken released;
    pending->watch(self);
    return py::object(py::bool_(true));
  });
}

template <const Metadata& (Answer::*Which)() const noexcept>
PyObject* metadata(PyObject* self, void* /*closure*/) {
  return guarded([&] {
    const Outcome& outcome = outcome_of(self);
    if (!is_done(self) || outcome.cancelled) return py::object(py::none());
    return py::object(from_metadata((outcome.pending->answer().*Which)()));
  });
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  const Outcome* outcome = reinterpret_cast<FutureObject*>(self)->outcome;
  Py_VISIT(Py_TYPE(self));
  if (outcome != nullptr) {
    Py_VISIT(outcome->result.ptr());
    Py_VISIT(outcome->exception.ptr());
  }
  return 0;
}

int clear(PyObject* self) {
  Outcome* outcome = reinterpret_cast<FutureObject*>(self)->outcome;
  if (outcome != nullptr) {
    py::object(std::move(outcome->result)).release().dec_ref();
    py::object(std::move(outcome->exception)).release().dec_ref();
  }
  return 0;
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  const std::unique_ptr<Outcome> outcome(
      std::exchange(reinterpret_cast<FutureObject*>(self)->outcome, nullptr));
  if (outcome) {
    const ReleaseGilIfTaken released;
    outcome->pending.reset();
  }
  type->tp_free(self);
  Py_DECREF(type);
}

PyTypeObject* make_type() {
  static PyMethodDef methods[] = {
      {"result", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&result)),
       METH_VARARGS | METH_KEYWORDS, "The call's result; waits for it, up to `timeout` seconds if given."},
      {"exception", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&exception)),
       METH_VARARGS | METH_KEYWORDS, "What the call raised, or None; waits as result() does."},
      {"done", &done, METH_NOARGS, "True if result() would not wait."},
      {"running", &running, METH_NOARGS, "True until the call has ended."},
      {"cancelled", &cancelled, METH_NOARGS, "True if cancel() ended the call."},
      {"cancel", &cancel, METH_NOARGS, "Ends the call, unless it has ended: False then."},
      {"_watch", &watch, METH_NOARGS, nullptr},
      {}};
  static PyGetSetDef getters[] = {
      {"metadata", &metadata<&Answer::initial_metadata>, nullptr,
       "What the server sent before its reply; None before the call has ended.", nullptr},
      {"trailing_metadata", &metadata<&Answer::trailing_metadata>, nullptr,
       "What the server sent with the call's end; None before.", nullptr},
      {}};
  static PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
                                {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
                                {Py_tp_clear, reinterpret_cast<void*>(&clear)},
                                {Py_tp_methods, methods},
                                {Py_tp_getset, getters},
                                {0, nullptr}};
  static PyType_Spec spec = {
      "leat._native.PendingCall", sizeof(FutureObject), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
      slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

/// leat._future.Future, loaded with the first future.
PyTypeObject* future_type() {
  static PyObject* type = nullptr;
  return reinterpret_cast<PyTypeObject*>(imported(type, "leat._future", "Future").ptr());
}

}  // namespace

void Pending::settle() {
  const py::object future = steal(std::exchange(future_, nullptr));
  if (future) complete(future.ptr());
}

namespace {

/// A started call, or why it could not be started.
Answer start_answer(const Target& target, std::optional<Payload> first, CallKind kind) {
  const OptionsNow options(target);
  MethodRef method = target.method->ref();
  method.kind = kind;
  const ReleaseGilIfTaken released(first ? first->byte_size() : 0);
  Result<std::unique_ptr<ClientCall>> call = target.caller->start(method, std::move(first), options.get());
  if (!call) return {call.error(), target.method};
  return {share(std::move(*call)), target.method};
}

/// A call with one answer that is not waited for; and its requests if it streams some.
std::pair<Answer, std::shared_ptr<Feed>> begin(const Target& target, Arguments arguments) {
  Answer answer = start_answer(target, std::move(arguments.first), arguments.kind);
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();  // Ctrl-C while it waited to be ready
  std::shared_ptr<Feed> feed;
  if (arguments.requests && answer.call()) {
    feed = std::make_shared<Feed>(answer.call(), target.method, std::move(arguments.requests));
    feed->start();
  }
  return {std::move(answer), std::move(feed)};
}

/// A call nobody asks about, which keeps itself alive.
class Oneway : public std::enable_shared_from_this<Oneway> {
 public:
  explicit Oneway(Answer answer) : answer_(std::move(answer)) {}
  void go_on() {
    const std::optional<Moment> moment = answer_.advance();
    if (moment) {
      answer_.call()->when(*moment, [self = shared_from_this()] { self->go_on(); });
    } else if (answer_.is_stream()) {
      answer_.call()->cancel();  // nobody is going to read it
    }
  }

 private:
  Answer answer_;
};

}  // namespace

py::object call_later(const Target& target, Arguments arguments) {
  PyTypeObject* type = future_type();
  py::object future = steal(type->tp_alloc(type, 0));
  if (!future) throw py::error_already_set();
  auto [answer, feed] = begin(target, std::move(arguments));
  auto outcome = std::make_unique<Outcome>();
  outcome->pending = std::make_shared<Pending>(std::move(answer), std::move(feed), target.caller);
  reinterpret_cast<FutureObject*>(future.ptr())->outcome = outcome.release();
  return future;
}

void call_oneway(const Target& target, Arguments arguments) {
  auto [answer, feed] = begin(target, std::move(arguments));
  const auto call = std::make_shared<Oneway>(std::move(answer));
  const ReleaseGilIfTaken released;
  call->go_on();
}

void bind_future(py::module_& module) {
  base_type = make_type();
  if (base_type == nullptr) throw py::error_already_set();
  module.attr("PendingCall") = py::handle(reinterpret_cast<PyObject*>(base_type));
}

}  // namespace leat::python
