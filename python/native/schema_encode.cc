// Instances of message classes as schema messages.
#include <utility>
#include <vector>

#include <leat/schema/encode.h>

#include "schema_handle.h"
#include "value.h"

namespace leat::python {
namespace {

using schema::BaseType;
using schema::Enum;
using schema::Field;
using schema::Table;

/// Shows Python objects to the encoder. Everything it hands out stays alive until the encoder is done.
class MessageSource {
 public:
  using Value = py::object;

  MessageSource(SchemaHandle& handle, Sharing sharing, bool exclusive)
      : handle_(handle), sharing_(sharing), exclusive_(exclusive) {}

  /// TypeError or ValueError, whichever the last failure calls for.
  [[nodiscard]] PyObject* error_type() const noexcept { return error_type_; }

  Result<std::optional<Value>> field(const Value& object, const Table& table, const Field& field) {
    if (object.is_none()) return std::nullopt;
    const TableClass& known = handle_.class_of(table);
    if (PyObject_TypeCheck(object.ptr(), reinterpret_cast<PyTypeObject*>(known.type.ptr())) == 0)
      return failure(wrong("an instance of " + std::string(schema::short_name(table.name)), object));
    PyObject* value = known.slot(object.ptr(), field.id);
    if (value == nullptr) return std::nullopt;
    if (value == Py_None && !schema::is_scalar(field.type.base)) return std::nullopt;
    // One reference is the slot's. A table that somebody else holds too lends its arrays to them.
    if (field.type.innermost() == BaseType::kTable && Py_REFCNT(value) > 1 && !is_array(value))
      exclusive_ = false;
    return std::optional<Value>(borrow(value));
  }

  Result<bool> boolean(const Value& value) {
    if (PyBool_Check(value.ptr())) return value.ptr() == Py_True;
    if (is_numpy_scalar(value.ptr())) {
      std::array<std::byte, 16> element{};
      Result<DType> dtype = to_element(value.ptr(), element);
      if (dtype && *dtype == DType::kBool) return element[0] != std::byte{0};
    }
    return failure(wrong("a bool", value));
  }

  Result<std::int64_t> integer(const Value& value, const Enum* names) {
    const py::object index = as_index(value, names);
    if (!index) return failure(wrong(names != nullptr ? "an enum's member" : "an int", value));
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(index.ptr(), &overflow);
    if (overflow != 0) return failure(too_large());
    return number;
  }

  Result<std::uint64_t> unsigned_integer(const Value& value, const Enum* names) {
    const py::object index = as_index(value, names);
    if (!index) return failure(wrong(names != nullptr ? "an enum's member" : "an int", value));
    const unsigned long long number = PyLong_AsUnsignedLongLong(index.ptr());
    if (PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      return failure(too_large());
    }
    return number;
  }

  Result<double> real(const Value& value) {
    if (PyFloat_CheckExact(value.ptr())) return PyFloat_AS_DOUBLE(value.ptr());
    if (PyUnicode_Check(value.ptr()) || PyBytes_Check(value.ptr())) return failure(wrong("a number", value));
    const double number = PyFloat_AsDouble(value.ptr());
    if (PyErr_Occurred() != nullptr) {
      const bool large = PyErr_ExceptionMatches(PyExc_OverflowError) != 0;
      PyErr_Clear();
      return failure(large ? too_large() : wrong("a number", value));
    }
    return number;
  }

  Result<std::string_view> text(const Value& value) {
    if (PyUnicode_Check(value.ptr()) == 0) return failure(wrong("a str", value));
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
    if (text == nullptr) {
      PyErr_Clear();
      error_type_ = PyExc_ValueError;
      return failure(Code::kInvalidArgument, "a str with a lone surrogate is no valid text");
    }
    kept_.push_back(value);
    return std::string_view(text, static_cast<std::size_t>(size));
  }

  Result<std::size_t> size(const Value& vector) {
    if (PyUnicode_Check(vector.ptr()) == 0 && PyDict_Check(vector.ptr()) == 0) {
      const Py_ssize_t size = PySequence_Size(vector.ptr());
      if (size >= 0) return static_cast<std::size_t>(size);
      PyErr_Clear();
    }
    return failure(wrong("a sequence", vector));
  }

  Result<Value> element(const Value& vector, std::size_t i) {
    py::object item = steal(PySequence_GetItem(vector.ptr(), static_cast<Py_ssize_t>(i)));
    if (item) {
      if (Py_REFCNT(item.ptr()) > 2 && !is_array(item.ptr())) exclusive_ = false;
      return item;
    }
    PyErr_Clear();
    return failure(wrong("a sequence", vector));
  }

  Result<std::optional<Bytes>> packed(const Value& vector, BaseType element) {
    PyObject* object = vector.ptr();
    if (!is_array(object) && PyObject_CheckBuffer(object) == 0) return std::nullopt;
    Result<Tensor> tensor =
        is_array(object) ? to_tensor(object, Sharing::kAlways, false) : from_any(view(object).ptr());
    if (!tensor) return failure(tensor.error());
    if (tensor->rank() != 1) return failure(wrong("one dimension", vector));
    if (tensor->dtype() != dtype_of(element)) return std::nullopt;
    tensors_.push_back(std::move(*tensor));
    return tensors_.back().data().bytes();
  }

  Result<Tensor> tensor(const Value& value) {
    if (!is_array(value.ptr())) return from_any(value.ptr());
    error_type_ = PyExc_TypeError;
    // Two references are the slot's and ours.
    return to_tensor(value.ptr(), sharing_, exclusive_ && Py_REFCNT(value.ptr()) == 2);
  }

 private:
  /// As numpy should see a buffer: bytes as numbers, not as text.
  static py::object view(PyObject* object) {
    py::object made = steal(PyMemoryView_FromObject(object));
    if (!made) throw py::error_already_set();
    return made;
  }
  Status wrong(const std::string& expected, const Value& value) {
    error_type_ = PyExc_TypeError;
    return {Code::kInvalidArgument, "expected " + expected + ", got " + describe_type(value.ptr())};
  }
  Status too_large() {
    error_type_ = PyExc_ValueError;
    return {Code::kInvalidArgument, "the number is too large"};
  }
  Result<Tensor> from_any(PyObject* object) {
    error_type_ = PyExc_TypeError;
    try {
      return to_tensor_from_any(object, std::nullopt);
    } catch (py::error_already_set& error) {
      return failure(Code::kInvalidArgument, std::string("no array: ") + error.what());
    }
  }
  /// Null for what is no integer.
  static py::object as_index(const Value& value, const Enum* names) {
    if (PyLong_CheckExact(value.ptr())) return value;
    if (names != nullptr && PyUnicode_Check(value.ptr())) {
      const schema::EnumValue* member = names->find(value.cast<std::string>());
      return member == nullptr ? py::object() : steal(PyLong_FromLongLong(member->value));
    }
    if (PyBool_Check(value.ptr()) || PyIndex_Check(value.ptr()) == 0) return {};
    py::object index = steal(PyNumber_Index(value.ptr()));
    if (!index) PyErr_Clear();
    return index;
  }

  SchemaHandle& handle_;
  Sharing sharing_;
  bool exclusive_;
  PyObject* error_type_ = PyExc_ValueError;
  std::vector<py::object> kept_;
  std::vector<Tensor> tensors_;
};

}  // namespace

Payload SchemaHandle::encode(const Table& table, PyObject* object, Sharing sharing, bool exclusive) {
  const py::object& type = class_of(table).type;
  if (object != Py_None && PyObject_TypeCheck(object, reinterpret_cast<PyTypeObject*>(type.ptr())) == 0)
    throw py::type_error("expected a message " + table.name + ", got " + describe_type(object));
  MessageSource source(*this, sharing, exclusive);
  Result<Payload> payload = schema::encode(*schema_, table, source, borrow(object));
  if (payload) return std::move(*payload);
  PyErr_SetString(source.error_type(), payload.error().message().c_str());
  throw py::error_already_set();
}

}  // namespace leat::python
