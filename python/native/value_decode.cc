#include <algorithm>
#include <utility>
#include <vector>

#include "value.h"

namespace leat::python {
namespace {

/// Makes Python objects bottom up: a stack of containers that are being filled.
class ObjectSink {
 public:
  using ArrayView = values::ArrayView;
  ObjectSink(const Payload& payload, const std::function<py::object()>& requests)
      : payload_(payload), requests_(requests) {}
  py::object take() { return std::move(root_); }
  Status error() { return std::move(error_); }

  bool nil() { return put(py::none()); }
  bool boolean(bool value) { return put(borrow(value ? Py_True : Py_False)); }
  bool integer(std::int64_t value) { return put(steal(PyLong_FromLongLong(value))); }
  bool unsigned_integer(std::uint64_t value) { return put(steal(PyLong_FromUnsignedLongLong(value))); }
  bool number(double value) { return put(steal(PyFloat_FromDouble(value))); }
  bool text(std::string_view value) {
    return put(steal(PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()), nullptr)));
  }
  bool bytes(Bytes value) {
    return put(steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(value.data()),
                                               static_cast<Py_ssize_t>(value.size()))));
  }
  bool attached_bytes(const Buffer& value) { return bytes(value); }
  bool array(const ArrayView& view) {
    if (view.attachment == 0) return put(from_bytes(view.dtype, view.order, view.shape, view.data));
    return put(from_buffer(view.dtype, view.order, view.shape, payload_.attachments[view.attachment - 1]));
  }
  bool scalar(DType dtype, Bytes element) { return put(from_element(dtype, element)); }

  bool requests() {
    if (!requests_ || asked_) {
      error_ = {Code::kInvalidArgument, asked_ ? "malformed value: a call takes one stream"
                                               : "malformed value: a stream stands where none may be"};
      return false;
    }
    asked_ = true;
    return put(requests_());
  }

  bool begin_list(std::uint32_t count) { return open(steal(PyList_New(count)), Kind::kList); }
  bool begin_tuple(std::uint32_t count) { return open(steal(PyTuple_New(count)), Kind::kTuple); }
  bool begin_map(std::uint32_t /*count*/) { return open(steal(PyDict_New()), Kind::kMap); }
  bool end() {
    py::object closed = std::move(stack_.back().container);
    stack_.pop_back();
    return put(std::move(closed));
  }

 private:
  enum class Kind : std::uint8_t { kList, kTuple, kMap };
  struct Open {
    py::object container;
    Kind kind = Kind::kList;
    Py_ssize_t filled = 0;
    py::object key;
  };

  bool open(py::object container, Kind kind) {
    if (!container) throw py::error_already_set();
    stack_.push_back({std::move(container), kind, 0, {}});
    return true;
  }
  bool put(py::object value) {
    if (!value) throw py::error_already_set();
    if (stack_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Open& top = stack_.back();
    if (top.kind == Kind::kList) {
      PyList_SET_ITEM(top.container.ptr(), top.filled++, value.release().ptr());
    } else if (top.kind == Kind::kTuple) {
      PyTuple_SET_ITEM(top.container.ptr(), top.filled++, value.release().ptr());
    } else if (!top.key) {
      top.key = std::move(value);
    } else {
      const py::object key = std::move(top.key);
      top.key = py::object();
      if (PyDict_SetItem(top.container.ptr(), key.ptr(), value.ptr()) != 0) return unusable_key(key);
    }
    return true;
  }
  bool unusable_key(const py::object& key) {
    if (PyErr_ExceptionMatches(PyExc_TypeError) == 0) throw py::error_already_set();
    PyErr_Clear();
    error_ = {Code::kInvalidArgument,
              "malformed value: " + describe_type(key.ptr()) + " can't be a dictionary's key in Python"};
    return false;
  }

  const Payload& payload_;
  const std::function<py::object()>& requests_;
  bool asked_ = false;
  std::vector<Open> stack_;
  py::object root_;
  Status error_;
};

}  // namespace

Result<py::object> decode_value(const Payload& payload, const std::function<py::object()>& requests) {
  ObjectSink sink(payload, requests);
  if (Status status = values::read_value(payload, sink); !status.ok()) return failure(std::move(status));
  return sink.take();
}

}  // namespace leat::python
