#include <algorithm>
#include <array>
#include <utility>

#include "gil.h"
#include "value.h"

namespace leat::python {
namespace {

/// The repr, cut to a length that fits an error.
std::string short_repr(PyObject* object) {
  const py::object text = steal(PyObject_Repr(object));
  if (!text) {
    PyErr_Clear();
    return "?";
  }
  auto repr = py::str(text).cast<std::string>();
  if (repr.size() > 60) repr = repr.substr(0, 57) + "...";
  return repr;
}

std::string hint(PyObject* object) {
  if (PyLong_Check(object)) return "; int(...) of it can";
  if (PyFloat_Check(object)) return "; float(...) of it can";
  if (PyUnicode_Check(object)) return "; str(...) of it can";
  if (PyBytes_Check(object) || PyByteArray_Check(object) || PyMemoryView_Check(object))
    return "; bytes(...) of it can";
  if (PyDict_Check(object)) return "; dict(...) of it can";
  if (PyTuple_Check(object)) return "; tuple(...) of it can";
  if (PyList_Check(object) || PyAnySet_Check(object) || Py_TYPE(object) == &PyRange_Type)
    return "; list(...) of it can";
  return "; values are None, bool, int, float, str, bytes, list, tuple, dict and numpy arrays";
}

}  // namespace

std::string describe_type(PyObject* object) {
  const py::handle type(reinterpret_cast<PyObject*>(Py_TYPE(object)));
  const auto name = py::str(type.attr("__qualname__")).cast<std::string>();
  const auto module = py::str(py::getattr(type, "__module__", py::str("builtins"))).cast<std::string>();
  if (module != "builtins") return module + "." + name;
  const bool vowel = std::string_view("aeiou").find(name.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + name;
}

void ValueEncoder::value(PyObject* object, const char* name, bool exclusive) {
  if (!write(object, 0, exclusive)) raise(name);
}

void ValueEncoder::call(PyObject* const* args, std::size_t positional, PyObject* kwnames) {
  const auto named = kwnames == nullptr ? 0 : static_cast<std::size_t>(PyTuple_GET_SIZE(kwnames));
  arguments_ = true;
  (void)out_.begin_list(2);
  (void)out_.begin_list(positional);
  for (std::size_t i = 0; i < positional; ++i)
    if (!write(args[i], 2, false)) raise("args[" + std::to_string(i) + "]");
  (void)out_.begin_map(named);
  for (std::size_t i = 0; i < named; ++i) {
    PyObject* key = PyTuple_GET_ITEM(kwnames, static_cast<Py_ssize_t>(i));
    if (!write_text(key) || !write(args[positional + i], 2, false)) raise("kwargs[" + short_repr(key) + "]");
  }
}

bool ValueEncoder::write(PyObject* object, std::size_t depth, bool exclusive) {
  PyTypeObject* type = Py_TYPE(object);
  if (object == Py_None) return out_.nil(), true;
  if (object == Py_True || object == Py_False) return out_.boolean(object == Py_True), true;
  if (type == &PyLong_Type) return write_int(object);
  if (type == &PyFloat_Type) return out_.number(PyFloat_AS_DOUBLE(object)), true;
  if (type == &PyUnicode_Type) return write_text(object);
  if (type == &PyList_Type) return write_sequence(object, false, depth, exclusive);
  if (type == &PyTuple_Type) return write_sequence(object, true, depth, exclusive);
  if (type == &PyDict_Type) return write_dict(object, depth, exclusive);
  if (type == &PyBytes_Type) return write_bytes(object);
  if (is_array(object)) return write_array(object, exclusive);
  if (is_numpy_scalar(object)) return write_numpy_scalar(object);
  if (PyIter_Check(object) != 0 || PyAIter_Check(object) != 0) return write_requests(object);
  return refuse(PyExc_TypeError, describe_type(object) + " can't be sent" + hint(object));
}

bool ValueEncoder::write_int(PyObject* object) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow == 0) return out_.integer(value), true;
  if (overflow > 0) {
    const unsigned long long large = PyLong_AsUnsignedLongLong(object);
    if (PyErr_Occurred() == nullptr) return out_.unsigned_integer(large), true;
    PyErr_Clear();
  }
  const auto bits = py::handle(object).attr("bit_length")().cast<std::size_t>();
  return refuse(PyExc_ValueError,
                "an int of " + std::to_string(bits) + " bits can't be sent; -2**63 to 2**64-1 can");
}

bool ValueEncoder::write_text(PyObject* object) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object, &size);
  if (text == nullptr) {
    PyErr_Clear();
    return refuse(PyExc_ValueError, "a str with a lone surrogate can't be sent; it is no valid text");
  }
  return ok(out_.text({text, static_cast<std::size_t>(size)}));
}

bool ValueEncoder::write_bytes(PyObject* object) {
  const Bytes bytes =
      as_bytes({PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))});
  if (bytes.size() <= values::kInlineBytes) return ok(out_.bytes(bytes));
  return ok(out_.attached_bytes(wrap_object(borrow(object), bytes)));  // immutable, so shared
}

bool ValueEncoder::write_sequence(PyObject* object, bool tuple, std::size_t depth, bool exclusive) {
  const auto size = [object, tuple] { return tuple ? PyTuple_GET_SIZE(object) : PyList_GET_SIZE(object); };
  if (!check_depth(depth)) return false;
  const Py_ssize_t count = size();
  const auto announced = static_cast<std::uint64_t>(count);
  if (!ok(tuple ? out_.begin_tuple(announced) : out_.begin_list(announced))) return false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    // numpy runs Python code at times, which may change the list.
    if (i >= size()) return refuse(PyExc_ValueError, "the list changed while it was being sent");
    const py::object item = borrow(tuple ? PyTuple_GET_ITEM(object, i) : PyList_GET_ITEM(object, i));
    if (!write(item.ptr(), depth + 1, exclusive && Py_REFCNT(item.ptr()) == 2)) {
      path_.push_back("[" + std::to_string(i) + "]");
      return false;
    }
  }
  return true;
}

bool ValueEncoder::write_dict(PyObject* object, std::size_t depth, bool exclusive) {
  if (!check_depth(depth)) return false;
  const Py_ssize_t count = PyDict_Size(object);
  if (!ok(out_.begin_map(static_cast<std::uint64_t>(count)))) return false;
  Py_ssize_t position = 0;
  Py_ssize_t written = 0;
  PyObject *key = nullptr, *value = nullptr;
  while (PyDict_Next(object, &position, &key, &value) != 0) {
    const py::object kept_key = borrow(key);
    const py::object kept = borrow(value);
    if (!write(key, depth + 1, false)) {
      path_.push_back(" key " + short_repr(key));
      return false;
    }
    if (!write(value, depth + 1, exclusive && Py_REFCNT(value) == 2)) {
      path_.push_back("[" + short_repr(key) + "]");
      return false;
    }
    ++written;
    if (PyDict_Size(object) != count) break;
  }
  if (written != count || PyDict_Size(object) != count)
    return refuse(PyExc_ValueError, "the dictionary changed while it was being sent");
  return true;
}

bool ValueEncoder::write_array(PyObject* object, bool exclusive) {
  Result<Tensor> tensor = to_tensor(object, sharing_, exclusive);
  if (!tensor) return refuse(PyExc_TypeError, tensor.error().message());
  if (tensor->data().size() <= values::kInlineArrayBytes)
    return ok(out_.inline_array(tensor->dtype(), tensor->order(), tensor->shape(), tensor->data()));
  return ok(out_.array(tensor->dtype(), tensor->order(), tensor->shape(), tensor->data()));
}

bool ValueEncoder::write_numpy_scalar(PyObject* object) {
  std::array<std::byte, 16> element{};
  Result<DType> dtype = to_element(object, element);
  if (!dtype) return refuse(PyExc_TypeError, describe_type(object) + " can't be sent" + hint(object));
  out_.scalar(*dtype, Bytes(element).first(dtype_size(*dtype)));
  return true;
}

bool ValueEncoder::write_requests(PyObject* iterator) {
  if (!arguments_)
    return refuse(PyExc_TypeError, describe_type(iterator) +
                                       " can't be sent inside a value; a stream is an "
                                       "argument of a call, or all of its answer");
  if (requests_) return refuse(PyExc_TypeError, "a second iterator can't be sent; a call takes one stream");
  requests_ = borrow(iterator);
  out_.requests();
  return true;
}

bool ValueEncoder::check_depth(std::size_t depth) {
  if (depth < values::kMaxDepth) return true;
  return refuse(PyExc_ValueError, "more than " + std::to_string(values::kMaxDepth) +
                                      " levels of nesting; does it contain itself?");
}

bool ValueEncoder::refuse(PyObject* exception, std::string why) {
  refused_type_ = exception;
  refused_ = std::move(why);
  return false;
}

bool ValueEncoder::refuse(const Status& status) { return refuse(PyExc_ValueError, status.message()); }

void ValueEncoder::raise(const std::string& root) {
  std::string where = root;
  constexpr std::size_t kShown = 12;  // of a path, at either end
  for (std::size_t i = 0; i < path_.size(); ++i) {
    if (path_.size() > 2 * kShown && i == kShown) {
      where += "...";
      i = path_.size() - kShown;
    }
    where += path_[path_.size() - 1 - i];
  }
  PyErr_SetString(refused_type_, (where + ": " + refused_).c_str());
  throw py::error_already_set();
}

}  // namespace leat::python
