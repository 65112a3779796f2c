#include "context.h"

#include <utility>

#include "bindings.h"
#include "caller.h"
#include "error.h"
#include "gil.h"
#include "loop.h"
#include "options.h"

namespace leat::python {
namespace {

/// A type of our own, since one is made for every call that Python answers.
struct ContextObject {
  PyObject_HEAD ServerCall* call;    // null once the handler is done
  std::shared_ptr<ServerCall> kept;  // set once somebody needs the call beyond the handler's thread
  unsigned long thread;              // the handler's
  bool was_cancelled;                // at the end
  bool replied;                      // a first reply has left, or is about to
};

PyTypeObject* context_type = nullptr;
PyObject* variable = nullptr;

ContextObject* as_context(py::handle object) { return reinterpret_cast<ContextObject*>(object.ptr()); }

ServerCall& running_call(PyObject* self) {
  ServerCall* call = as_context(self)->call;
  if (call == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "the handler that this context belongs to is done");
    throw py::error_already_set();
  }
  return *call;
}

PyObject* cancelled(PyObject* self, void* /*closure*/) {
  const ContextObject* context = as_context(self);
  const bool value = context->call == nullptr ? context->was_cancelled : context->call->context().cancelled();
  return PyBool_FromLong(value ? 1 : 0);
}

PyObject* remaining(PyObject* self, void* /*closure*/) {
  return guarded([self] {
    const std::optional<Duration> left = running_call(self).context().remaining();
    return left ? py::object(py::float_(to_seconds(*left))) : py::none();
  });
}

PyObject* deadline(PyObject* self, void* /*closure*/) {
  return guarded([self] {
    const TimePoint at = running_call(self).context().deadline();
    return at == kNever ? py::none() : py::object(py::float_(to_seconds(at.time_since_epoch())));
  });
}

PyObject* metadata(PyObject* self, void* /*closure*/) {
  return guarded([self] { return py::object(from_metadata(running_call(self).context().metadata())); });
}

PyObject* identity(PyObject* /*self*/, void* /*closure*/) { Py_RETURN_NONE; }

PyObject* peer_address(PyObject* self, void* /*closure*/) {
  return guarded([self] {
    const std::string_view address = running_call(self).context().peer_address();
    return py::object(py::str(address.data(), address.size()));
  });
}

PyObject* peer(PyObject* self, void* /*closure*/) {
  return guarded([self] {
    const std::shared_ptr<ServerCall> call = call_of(self);
    std::shared_ptr<Caller> caller = [&] {
      const ReleaseGil released;
      return call->context().peer();
    }();
    if (!caller) {
      PyErr_SetString(PyExc_RuntimeError, "there is no connection to call the caller back on");
      throw py::error_already_set();
    }
    const char* module = on_event_loop() ? "leat._aio_peer" : "leat._peer";
    return py::object(
        py::module_::import(module).attr("Caller")(std::make_unique<CallerHandle>(std::move(caller))));
  });
}

PyObject* wait(PyObject* self, PyObject* seconds) {
  return guarded([self, seconds] {
    if (on_event_loop())
      throw std::runtime_error(
          "wait() would keep the event loop from all else; await something, which is cancelled when nobody "
          "waits for the answer any more");
    const Duration limit = to_duration(borrow(seconds), "seconds").value_or(Duration::max());
    const std::shared_ptr<ServerCall> call = call_of(self);
    const bool cancelled = [&] {
      const ReleaseGil released;
      return call->context().wait_for(limit);
    }();
    return py::object(py::bool_(cancelled));
  });
}

PyObject* set_trailing_metadata(PyObject* self, PyObject* pairs) {
  return guarded([self, pairs] {
    running_call(self).set_trailing_metadata(to_metadata(borrow(pairs)));
    return py::object(py::none());
  });
}

PyObject* send_initial_metadata(PyObject* self, PyObject* pairs) {
  return guarded([self, pairs] {
    Metadata metadata = to_metadata(borrow(pairs));
    const std::shared_ptr<ServerCall> call = call_of(self);
    if (as_context(self)->replied)
      throw std::runtime_error(
          "initial metadata goes before the first reply, which has been sent; of an object's generator that "
          "is "
          "so from its first line on: send the metadata from a method that returns the generator");
    const Status sent = [&] {
      const ReleaseGil released;
      return call->send_initial_metadata(std::move(metadata));
    }();
    unwrap(sent);
    return py::object(py::none());
  });
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  std::destroy_at(&as_context(self)->kept);
  type->tp_free(self);
  Py_DECREF(type);
}

PyTypeObject* make_type() {
  static PyMethodDef methods[] = {
      {"wait", &wait, METH_O,
       "Waits for so many seconds, or until the call is cancelled or past its deadline: True then."},
      {"set_trailing_metadata", &set_trailing_metadata, METH_O, "Metadata that travels with the call's end."},
      {"send_initial_metadata", &send_initial_metadata, METH_O,
       "Sends metadata now instead of with the first reply; once, before the first item."},
      {}};
  static PyGetSetDef getters[] = {
      {"cancelled", &cancelled, nullptr,
       "True once nobody waits for the answer: the caller cancelled, its deadline passed, or it is gone.",
       nullptr},
      {"remaining", &remaining, nullptr, "Seconds before the deadline, not below 0; None without a deadline.",
       nullptr},
      {"deadline", &deadline, nullptr,
       "When the caller stops waiting, in the seconds of time.monotonic(); None: never.", nullptr},
      {"metadata", &metadata, nullptr, "What the caller sent before the request, as a dictionary.", nullptr},
      {"identity", &identity, nullptr, "Who the caller is; None, since connections have no keys yet.",
       nullptr},
      {"peer", &peer, nullptr, "The caller, to be called back: what it serves, over the same connection.",
       nullptr},
      {"peer_address", &peer_address, nullptr, "The caller's address, for logs.", nullptr},
      {}};
  static PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
      {Py_tp_methods, methods},
      {Py_tp_getset, getters},
      {Py_tp_doc, const_cast<char*>("The call that a handler answers. Threads may share it.")},
      {0, nullptr}};
  static PyType_Spec spec = {"leat._native.Context", sizeof(ContextObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

/// Of the call that began last on this thread.
struct Prepared {
  const Context* call = nullptr;
  std::weak_ptr<const py::object> variables;  // expired: that call is over, and its address another's
};
thread_local Prepared prepared;

std::shared_ptr<const py::object> find_prepared(const Context* call) {
  return prepared.call == call ? prepared.variables.lock() : nullptr;
}

py::object new_variables() {
  py::object variables = steal(PyContext_New());
  if (!variables) throw py::error_already_set();
  return variables;
}

/// The context of the running handler; null without an error outside of them.
py::object current() {
  PyObject* found = nullptr;
  if (PyContextVar_Get(variable, nullptr, &found) < 0) throw py::error_already_set();
  return steal(found);
}

/// The last one to let go of a call takes the connection's lock, which nobody may with the GIL.
std::shared_ptr<ServerCall> keep(std::shared_ptr<ServerCall> detached) {
  if (!detached) return nullptr;
  ServerCall* call = detached.get();
  return {call, [kept = std::move(detached)](ServerCall* /*call*/) mutable {
            const ReleaseGil released;
            kept.reset();
          }};
}

}  // namespace

CallContext make_context(ServerCall& call, std::shared_ptr<ServerCall> detached) {
  py::object context = steal(context_type->tp_alloc(context_type, 0));
  if (!context) throw py::error_already_set();
  ContextObject* fields = as_context(context);
  std::construct_at(&fields->kept, keep(std::move(detached)));
  fields->call = &call;
  fields->thread = PyThread_get_thread_ident();
  const std::shared_ptr<const py::object> known = find_prepared(&call.context());
  py::object variables = known ? *known : new_variables();
  if (PyContext_Enter(variables.ptr()) != 0) throw py::error_already_set();
  const py::object token = steal(PyContextVar_Set(variable, context.ptr()));
  if (PyContext_Exit(variables.ptr()) != 0 || !token) throw py::error_already_set();
  return {std::move(context), std::move(variables)};
}

std::shared_ptr<const py::object> prepare_variables(const Context* call) {
  std::shared_ptr<const py::object> variables = find_prepared(call);
  if (!variables) {
    variables = {new py::object(new_variables()), [](const py::object* last) {
                   if (!python_forbidden()) delete last;  // else nobody frees it any more
                 }};
    prepared = {call, variables};
  }
  return variables;
}

std::shared_ptr<ServerCall> detach_context(py::handle context) {
  ContextObject* fields = as_context(context);
  if (fields->call != nullptr && !fields->kept) {
    fields->kept = keep(fields->call->detach());
  }
  return fields->kept;
}

std::shared_ptr<ServerCall> call_of(py::handle context) {
  ServerCall& call = running_call(context.ptr());
  ContextObject* fields = as_context(context);
  if (!fields->kept && fields->thread == PyThread_get_thread_ident())
    return {std::shared_ptr<ServerCall>(), &call};
  std::shared_ptr<ServerCall> kept = detach_context(context);
  if (!kept) throw std::runtime_error("this call can only be used by the thread of its handler");
  return kept;
}

void note_reply(py::handle context) noexcept { as_context(context)->replied = true; }

std::shared_ptr<ServerCall> end_context(py::handle context) noexcept {
  ContextObject* fields = as_context(context);
  if (fields->call == nullptr) return nullptr;
  fields->was_cancelled = fields->call->context().cancelled();
  fields->call = nullptr;
  return std::exchange(fields->kept, nullptr);
}

CurrentParent::CurrentParent() {
  const py::object context = current();
  if (!context || as_context(context)->call == nullptr) return;
  if (as_context(context)->thread == PyThread_get_thread_ident() || detach_context(context))
    call_ = call_of(context);
}

void bind_context(py::module_& module) {
  context_type = make_type();
  variable = PyContextVar_New("leat.context", nullptr);
  if (context_type == nullptr || variable == nullptr) throw py::error_already_set();
  module.attr("Context") = py::handle(reinterpret_cast<PyObject*>(context_type));
  module.def("context", [] {
    py::object found = current();
    if (!found) {
      PyErr_SetString(PyExc_RuntimeError, "leat.context() is for handlers, and none runs here");
      throw py::error_already_set();
    }
    return found;
  });
}

}  // namespace leat::python
