// Schema messages as instances of message classes.
#include <utility>

#include <leat/schema/decode.h>

#include "schema_handle.h"

namespace leat::python {
namespace {

using schema::BaseType;
using schema::Enum;
using schema::Field;
using schema::Table;
using schema::Type;

/// Up to this size a vector is copied: cheaper than keeping the message alive for it.
constexpr std::size_t kCopiedVector = 512;

class MessageSink {
 public:
  using Value = py::object;
  struct Object {
    py::object instance;
    const TableClass* known = nullptr;
  };
  using List = py::object;

  explicit MessageSink(SchemaHandle& handle) : handle_(handle) {}

  Result<Object> begin(const Table& table) {
    const TableClass& known = handle_.class_of(table);
    auto* type = reinterpret_cast<PyTypeObject*>(known.type.ptr());
    return Object{checked(type->tp_alloc(type, 0)), &known};
  }
  Status set(Object& object, const Table& /*table*/, const Field& field, Value value) {
    PyObject*& slot = object.known->slot(object.instance.ptr(), field.id);
    Py_XSETREF(slot, value.release().ptr());
    return {};
  }
  Status absent(Object& object, const Table& table, const Field& field) {
    return set(object, table, field, absent_value(field.type));
  }
  Result<Value> end(Object object, const Table& /*table*/) { return std::move(object.instance); }

  Result<Value> boolean(bool value) { return borrow(value ? Py_True : Py_False); }
  Result<Value> integer(std::int64_t value, const Enum* names) {
    py::object number = checked(PyLong_FromLongLong(value));
    return names == nullptr ? number : member(std::move(number), *names);
  }
  Result<Value> unsigned_integer(std::uint64_t value, const Enum* names) {
    py::object number = checked(PyLong_FromUnsignedLongLong(value));
    return names == nullptr ? number : member(std::move(number), *names);
  }
  Result<Value> real(double value) { return checked(PyFloat_FromDouble(value)); }
  Result<Value> text(std::string_view value) {
    return checked(PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()), nullptr));
  }
  Result<Value> tensor(const Tensor& value) {
    return checked(from_buffer(value.dtype(), value.order(), value.shape(), value.data()));
  }
  Result<Value> scalars(BaseType element, const Enum* /*names*/, const Buffer& packed) {
    const DType dtype = dtype_of(element);
    const std::int64_t count = static_cast<std::int64_t>(packed.size() / dtype_size(dtype));
    const std::span<const std::int64_t> shape(&count, 1);
    const bool aligned = reinterpret_cast<std::uintptr_t>(packed.data()) % dtype_size(dtype) == 0;
    if (!aligned || packed.size() <= kCopiedVector)
      return checked(from_bytes(dtype, Order::kRowMajor, shape, packed));
    return checked(from_buffer(dtype, Order::kRowMajor, shape, packed));
  }
  Result<List> begin_list(const Type& /*type*/, std::size_t /*size*/) { return checked(PyList_New(0)); }
  Status push(List& list, const Value& value) {
    if (PyList_Append(list.ptr(), value.ptr()) != 0) throw py::error_already_set();
    return {};
  }
  Result<Value> end_list(List list) { return list; }

 private:
  static py::object checked(py::object made) {
    if (!made) throw py::error_already_set();
    return made;
  }
  static py::object checked(PyObject* made) { return checked(steal(made)); }

  static py::object absent_value(const Type& type) {
    if (type.base == BaseType::kString) return checked(PyUnicode_FromString(""));
    if (type.base != BaseType::kVector) return py::none();
    if (!schema::is_scalar(type.element)) return checked(PyList_New(0));
    const std::int64_t none = 0;
    return checked(from_bytes(dtype_of(type.element), Order::kRowMajor, {&none, 1}, {}));
  }

  /// The member of that number; flags may be combined; a number without a name stays one.
  py::object member(py::object number, const Enum& names) {
    const EnumClass& known = handle_.class_of(names);
    PyObject* found = PyDict_GetItemWithError(known.members.ptr(), number.ptr());
    if (found != nullptr) return borrow(found);
    if (!names.bit_flags) return number;
    py::object combined = steal(PyObject_CallOneArg(known.type.ptr(), number.ptr()));
    if (!combined) {
      PyErr_Clear();
      return number;
    }
    return combined;
  }

  SchemaHandle& handle_;
};

}  // namespace

Result<py::object> SchemaHandle::decode(const Table& table, const Payload& payload) {
  MessageSink sink(*this);
  return schema::decode(*schema_, table, payload, sink);
}

}  // namespace leat::python
