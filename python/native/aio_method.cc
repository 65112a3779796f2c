// The method of a remote object whose calls are awaited: bind_call.cc's sibling.
#include <memory>
#include <utility>

#include "aio_call.h"
#include "bindings.h"
#include "error.h"
#include "gil.h"
#include "options.h"
#include "value.h"

namespace leat::python {
namespace {

struct Awaited {
  Target target;
  Loop loop;
};

struct AwaitedMethod {
  PyObject_HEAD vectorcallfunc vectorcall;
  Awaited* awaited;
};

PyTypeObject* awaited_method_type = nullptr;

AwaitedMethod* as_method(PyObject* self) { return reinterpret_cast<AwaitedMethod*>(self); }

Arguments encode_arguments(PyObject* const* args, std::size_t positional, PyObject* kwnames,
                           const CallOptions& options) {
  drop_put_aside();
  ValueEncoder encoder(Sharing::kIfUnchanged);
  encoder.call(args, positional, kwnames);
  Arguments arguments;
  arguments.requests = encoder.requests();
  // Only a call that is known to have one answer can be tried again.
  arguments.kind = arguments.requests                   ? CallKind::kBidi
                   : options.idempotent.value_or(false) ? CallKind::kUnary
                                                        : CallKind::kServerStream;
  arguments.first = std::move(encoder).finish();
  return arguments;
}

PyObject* vectorcall(PyObject* self, PyObject* const* args, std::size_t flagged, PyObject* kwnames) {
  return guarded([&] {
    const Awaited& awaited = *as_method(self)->awaited;
    const auto positional = static_cast<std::size_t>(PyVectorcall_NARGS(flagged));
    return call_on_loop(awaited.target, encode_arguments(args, positional, kwnames, awaited.target.options),
                        awaited.loop);
  });
}

PyObject* oneway(PyObject* self, PyObject* const* args, Py_ssize_t positional, PyObject* kwnames) {
  return guarded([&] {
    const Awaited& awaited = *as_method(self)->awaited;
    oneway_on_loop(awaited.target, encode_arguments(args, static_cast<std::size_t>(positional), kwnames, {}),
                   awaited.loop);
    return py::object(py::none());
  });
}

PyObject* options(PyObject* self, PyObject* args, PyObject* kwargs) {
  return guarded([&] {
    const Awaited& awaited = *as_method(self)->awaited;
    Target target = awaited.target;
    target.options = with_options(std::move(target.options), args, kwargs);
    return make_awaited_method(std::move(target), awaited.loop);
  });
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  {
    const ReleaseGilIfTaken released;  // the last handle closes the connection, which takes it
    delete as_method(self)->awaited;
  }
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* represent(PyObject* self) {
  return PyUnicode_FromFormat("<remote method %s>", as_method(self)->awaited->target.method->where().c_str());
}

PyObject* name(PyObject* self, void* /*closure*/) {
  const std::string_view name = as_method(self)->awaited->target.method->ref().method;
  return PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
}

PyTypeObject* make_type() {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(AwaitedMethod, vectorcall), READONLY, nullptr}, {}};
  static PyMethodDef methods[] = {
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
      {Py_tp_doc, const_cast<char*>("A method of a remote object. Calling it gives a leat.aio.Call.")},
      {0, nullptr}};
  static PyType_Spec spec = {
      "leat._native.AwaitedMethod", sizeof(AwaitedMethod), 0,
      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
  return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
}

}  // namespace

py::object make_awaited_method(Target target, Loop loop) {
  PyObject* self = awaited_method_type->tp_alloc(awaited_method_type, 0);
  if (self == nullptr) throw py::error_already_set();
  as_method(self)->vectorcall = &vectorcall;
  as_method(self)->awaited = new Awaited{std::move(target), std::move(loop)};
  return steal(self);
}

void bind_aio_method(py::module_& module) {
  awaited_method_type = make_type();
  if (awaited_method_type == nullptr) throw py::error_already_set();
  module.attr("AwaitedMethod") = py::handle(reinterpret_cast<PyObject*>(awaited_method_type));
}

}  // namespace leat::python
