#include "object_service.h"

#include <utility>

#include "error.h"
#include "gil.h"
#include "handler.h"
#include "value.h"

namespace leat::python {
namespace {

class ObjectService final : public Service {
 public:
  ObjectService(std::string name, py::object object) : name_(std::move(name)), object_(std::move(object)) {
    info_.name = name_;
  }

  [[nodiscard]] const ServiceInfo& service_info() const noexcept override { return info_; }
  [[nodiscard]] std::optional<std::size_t> find_method(std::string_view /*method*/) const noexcept override {
    return 0;
  }
  [[nodiscard]] std::string known_methods() const override { return {}; }
  Status handle_call(std::size_t method, ServerCall& call) override;

 private:
  /// A new reference to the bound method. Throws Python's AttributeError as kUnimplemented.
  [[nodiscard]] py::object bound_method(const std::string& name) const;
  [[nodiscard]] py::object invoke(const std::string& method, const Payload& request) const;

  std::string name_;
  ServiceInfo info_;
  SharedObject object_;
};

/// An iterator made by the handler, as against a container, which is a value.
bool is_stream(PyObject* result) { return PyIter_Check(result) != 0; }

Payload encode_result(PyObject* object, bool exclusive, const char* name, Sharing sharing) {
  ValueEncoder encoder(sharing);
  encoder.value(object, name, exclusive);
  return std::move(encoder).finish();
}

[[noreturn]] void refuse(const Status& status) { raise(status); }

Status ObjectService::handle_call(std::size_t /*method*/, ServerCall& call) {
  Result<Payload> request = read_request(call);
  if (!request) return request.error();
  const std::string method(call.method());
  const std::string where = name_ + "." + method;
  Payload reply;
  PyObject* items = nullptr;
  Status status = run_python(where, [&] {
    py::object result = invoke(method, *request);
    *request = Payload();
    if (is_stream(result.ptr())) {
      items = result.release().ptr();
      return;
    }
    if (PyCoro_CheckExact(result.ptr()) != 0) {
      result.attr("close")();
      refuse({Code::kUnimplemented, where + " is an async def, which this version does not serve yet"});
    }
    try {
      reply = encode_result(result.ptr(), Py_REFCNT(result.ptr()) == 1, "result", Sharing::kResult);
    } catch (py::error_already_set& error) {
      // The caller's arguments were right: not an invalid_argument.
      Status answer = status_of(error, where);
      Status internal(Code::kInternal, where + ": " + answer.message());
      refuse(internal.with_remote_traceback(answer.remote_type(), answer.remote_traceback()));
    }
  });
  if (!status.ok()) return status;
  if (items == nullptr) return call.write_last(std::move(reply));
  if (call.kind() != CallKind::kServerStream) {
    status = run_python(where, [items] { steal(items); });
    return {Code::kFailedPrecondition, where + " answers with a stream; call it as a server stream"};
  }
  status = call.write(values::items_follow());
  if (!status.ok()) {
    const Status closed = run_python(where, [items] { steal(items); });
    return status;
  }
  return push_items(
      call, items,
      [](PyObject* item, bool exclusive) {
        return encode_result(item, exclusive, "item", Sharing::kIfUnchanged);
      },
      where);
}

py::object ObjectService::invoke(const std::string& method, const Payload& request) const {
  const py::object function = bound_method(method);
  py::object decoded = unwrap(decode_value(request));
  PyObject* both = decoded.ptr();
  if (PyList_CheckExact(both) == 0 || PyList_GET_SIZE(both) != 2 ||
      PyList_CheckExact(PyList_GET_ITEM(both, 0)) == 0 || PyDict_CheckExact(PyList_GET_ITEM(both, 1)) == 0)
    refuse({Code::kInvalidArgument, "the request is not a list of arguments and a dictionary of named ones"});
  PyObject* args = PyList_GET_ITEM(both, 0);
  PyObject* kwargs = PyList_GET_ITEM(both, 1);
  PyObject* const* items = reinterpret_cast<PyListObject*>(args)->ob_item;
  py::object result =
      steal(PyObject_VectorcallDict(function.ptr(), items, static_cast<std::size_t>(PyList_GET_SIZE(args)),
                                    PyDict_Size(kwargs) == 0 ? nullptr : kwargs));
  if (!result) throw py::error_already_set();
  return result;
}

py::object ObjectService::bound_method(const std::string& name) const {
  const py::object key = py::str(name);
  PyObject* defined =
      name.empty() || name.front() == '_' ? nullptr : _PyType_Lookup(Py_TYPE(object_.get()), key.ptr());
  // Only what the class defines, and nested classes are no methods.
  if (defined != nullptr && PyType_Check(defined) == 0) {
    py::object bound = steal(PyObject_GetAttr(object_.get(), key.ptr()));
    if (!bound) throw py::error_already_set();
    if (PyCallable_Check(bound.ptr()) != 0) return bound;
  }
  py::module_::import("leat._errors").attr("raise_no_method")(py::handle(object_.get()), name_, name);
  throw py::error_already_set();  // not reached
}

}  // namespace

std::shared_ptr<Service> make_object_service(std::string name, py::object object) {
  return std::make_shared<ObjectService>(std::move(name), std::move(object));
}

}  // namespace leat::python
