// The method of a remote object, as a type of our own: calling it goes through CPython's vectorcall, which
// costs a tenth of what a call through pybind11 does.
#include <memory>
#include <utility>

#include "bindings.h"
#include "call.h"
#include "error.h"
#include "future.h"
#include "gil.h"
#include "object_method.h"
#include "options.h"
#include "value.h"

namespace leat::python {
namespace {

struct RemoteMethod {
  PyObject_HEAD vectorcallfunc vectorcall;
  Target* target;
};

PyTypeObject* remote_method_type = nullptr;

RemoteMethod* as_method(PyObject* self) { return reinterpret_cast<RemoteMethod*>(self); }

/// With Sharing::kAlways the caller waits until the call is over.
Arguments encode_arguments(PyObject* const* args, std::size_t positional, PyObject* kwnames,
                           Sharing sharing) {
  drop_put_aside();
  ValueEncoder encoder(sharing);
  encoder.call(args, positional, kwnames);
  Arguments arguments;
  arguments.requests = encoder.requests();
  if (arguments.requests && PyIter_Check(arguments.requests.ptr()) == 0)
    throw py::type_error(describe_type(arguments.requests.ptr()) +
                         " can't be read by a call that blocks; leat.aio has calls that can");
  arguments.kind = arguments.requests ? CallKind::kBidi : CallKind::kServerStream;
  arguments.first = std::move(encoder).finish();
  return arguments;
}

PyObject* vectorcall(PyObject* self, PyObject* const* args, std::size_t flagged, PyObject* kwnames) {
  return guarded([&] {
    const auto positional = static_cast<std::size_t>(PyVectorcall_NARGS(flagged));
    return call_and_wait(*as_method(self)->target,
                         encode_arguments(args, positional, kwnames, Sharing::kAlways));
  });
}

PyObject* future(PyObject* self, PyObject* const* args, Py_ssize_t positional, PyObject* kwnames) {
  return guarded([&] {
    return call_later(*as_method(self)->target, encode_arguments(args, static_cast<std::size_t>(positional),
                                                                 kwnames, Sharing::kIfUnchanged));
  });
}

PyObject* oneway(PyObject* self, PyObject* const* args, Py_ssize_t positional, PyObject* kwnames) {
  return guarded([&] {
    call_oneway(*as_method(self)->target,
                encode_arguments(args, static_cast<std::size_t>(positional), kwnames, Sharing::kIfUnchanged));
    return py::object(py::none());
  });
}

PyObject* options(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    Target target = *as_method(self)->target;
    target.options = with_options(std::move(target.options), args, kwargs);
    return make_remote_method(std::move(target));
  });
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  {
    const ReleaseGilIfTaken released;  // the last handle closes the connection, which takes it
    delete as_method(self)->target;
  }
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* represent(PyObject* self) {
  return PyUnicode_FromFormat("<remote method %s>", as_method(self)->target->method->where().c_str());
}

PyObject* name(PyObject* self, void* /*closure*/) {
  const std::string_view name = as_method(self)->target->method->ref().method;
  return PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
}

PyTypeObject* make_type() {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(RemoteMethod, vectorcall), READONLY, nullptr}, {}};
  static PyMethodDef methods[] = {
      {"future", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&future)),
       METH_FASTCALL | METH_KEYWORDS, "Calls without waiting: a leat.Future of what a call would give."},
      {"oneway", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&oneway)),
       METH_FASTCALL | METH_KEYWORDS, "Calls and forgets: neither result nor failure shows."},
      {"options", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&options)),
       METH_VARARGS | METH_KEYWORDS,
       "The same method with other options: timeout in seconds, channel, metadata, idempotent, "
       "wait_for_ready."},
      {}};
  static PyGetSetDef getters[] = {{"__name__", &name, nullptr, nullptr, nullptr}, {}};
  static PyType_Slot slots[] = {
      {Py_tp_call, reinterpret_cast<void*>(&PyVectorcall_Call)},
      {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
      {Py_tp_repr, reinterpret_cast<void*>(&represent)},
      {Py_tp_members, members},
      {Py_tp_methods, methods},
      {Py_tp_getset, getters},
      {Py_tp_doc,
       const_cast<char*>("A method of a remote object. Calling it blocks until the answer is here.")},
      {0, nullptr}};
  static PyType_Spec spec = {
      "leat._native.RemoteMethod", sizeof(RemoteMethod), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

}  // namespace

py::object make_remote_method(Target target) {
  PyObject* self = remote_method_type->tp_alloc(remote_method_type, 0);
  if (self == nullptr) throw py::error_already_set();
  as_method(self)->vectorcall = &vectorcall;
  as_method(self)->target = new Target(std::move(target));
  return steal(self);
}

void bind_call(py::module_& module) {
  remote_method_type = make_type();
  if (remote_method_type == nullptr) throw py::error_already_set();
  module.attr("RemoteMethod") = py::handle(reinterpret_cast<PyObject*>(remote_method_type));
}

}  // namespace leat::python
