// The method of a remote object, as a type of our own: calling it goes through CPython's vectorcall, which
// costs a tenth of what a call through pybind11 does.
#include <memory>
#include <utility>

#include "bindings.h"
#include "call.h"
#include "error.h"
#include "gil.h"
#include "value.h"

namespace leat::python {
namespace {

struct RemoteMethod {
  PyObject_HEAD vectorcallfunc vectorcall;
  MethodCall* call;
};

PyTypeObject* remote_method_type = nullptr;

RemoteMethod* as_method(PyObject* self) { return reinterpret_cast<RemoteMethod*>(self); }

py::object decode_reply(const Payload& payload, const std::string& where) {
  Result<py::object> value = decode_value(payload);
  if (!value)
    raise(Status(Code::kInternal, value.error().message())
              .with_context("the reply of " + where + " can't be read"));
  return std::move(*value);
}

/// Whether the answer is a value or a stream is the callee's choice, and its first message says.
py::object call_object(const MethodCall& call, PyObject* const* args, std::size_t positional,
                       PyObject* kwnames) {
  drop_put_aside();
  ValueEncoder encoder(Sharing::kAlways);
  encoder.call(args, positional, kwnames);
  MethodRef method;
  method.service = call.object;
  method.method = call.method;
  method.kind = CallKind::kServerStream;
  std::unique_ptr<ClientCall> started;
  std::optional<Payload> first;
  Status status;
  {
    const ReleaseGil released;
    Result<std::unique_ptr<ClientCall>> result =
        call.caller->start(method, std::move(encoder).finish(), call.options);
    if (result) {
      started = std::move(*result);
      first = started->read();
      if (!first || !values::says_items_follow(*first)) {
        status = started->finish();
        started.reset();
      }
    } else {
      status = result.error();
    }
  }
  unwrap(status);
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  std::string where = call.object + "." + call.method;
  if (started) {
    return py::cast(std::make_unique<ItemStream>(
        std::move(started),
        [where = std::move(where)](const Payload& item) { return decode_reply(item, where); }));
  }
  if (!first) raise({Code::kInternal, where + " ended without an answer"});
  return decode_reply(*first, where);
}

PyObject* vectorcall(PyObject* self, PyObject* const* args, std::size_t flagged, PyObject* kwnames) {
  try {
    return call_object(*as_method(self)->call, args, static_cast<std::size_t>(PyVectorcall_NARGS(flagged)),
                       kwnames)
        .release()
        .ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

PyObject* options(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const kNames[] = {"timeout", "channel", "metadata", nullptr};
  PyObject *timeout = Py_None, *channel = Py_None, *metadata = Py_None;
  if (PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOO:options", const_cast<char**>(kNames), &timeout,
                                  &channel, &metadata) == 0)
    return nullptr;
  try {
    MethodCall call = *as_method(self)->call;
    if (timeout != Py_None) call.options.timeout = to_duration(borrow(timeout), "timeout");
    if (channel != Py_None) call.options.channel = to_channel(borrow(channel));
    if (metadata != Py_None) call.options.metadata = to_metadata(borrow(metadata));
    return make_remote_method(std::move(call)).release().ptr();
  } catch (py::error_already_set& error) {
    error.restore();
  } catch (const py::value_error& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const py::cast_error&) {
    PyErr_SetString(PyExc_TypeError, "metadata is a dictionary of str to str or bytes");
  }
  return nullptr;
}

void deallocate(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  {
    const ReleaseGil released;  // the last handle may close the connection
    delete as_method(self)->call;
  }
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* represent(PyObject* self) {
  const MethodCall& call = *as_method(self)->call;
  return PyUnicode_FromFormat("<remote method %s.%s>", call.object.c_str(), call.method.c_str());
}

PyObject* name(PyObject* self, void* /*closure*/) {
  return PyUnicode_FromString(as_method(self)->call->method.c_str());
}

PyTypeObject* make_type() {
  static PyMemberDef members[] = {
      {"__vectorcalloffset__", T_PYSSIZET, offsetof(RemoteMethod, vectorcall), READONLY, nullptr}, {}};
  static PyMethodDef methods[] = {
      {"options", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&options)),
       METH_VARARGS | METH_KEYWORDS,
       "The same method with other options: timeout in seconds, channel, metadata."},
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

py::object make_remote_method(MethodCall call) {
  PyObject* self = remote_method_type->tp_alloc(remote_method_type, 0);
  if (self == nullptr) throw py::error_already_set();
  as_method(self)->vectorcall = &vectorcall;
  as_method(self)->call = new MethodCall(std::move(call));
  return steal(self);
}

void bind_call(py::module_& module) {
  remote_method_type = make_type();
  if (remote_method_type == nullptr) throw py::error_already_set();
  module.attr("RemoteMethod") = py::handle(reinterpret_cast<PyObject*>(remote_method_type));
  py::class_<ItemStream>(module, "ItemStream")
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__", &ItemStream::next)
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](ItemStream& self, const py::args& /*error*/) { self.close(); })
      .def("close", &ItemStream::close)
      .def("finish", &ItemStream::finish);
}

}  // namespace leat::python
