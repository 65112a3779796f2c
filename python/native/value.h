// Python objects as values without a schema (docs/values.md), written and read in place.
//
// Functions here hold the GIL. They report what the other side did wrong as a Status, and what the Python
// program did wrong (an object that can't be sent, short memory) as py::error_already_set.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <leat/message.h>
#include <leat/status.h>

#include "array.h"
#include "python.h"
#include "schema/dynamic/value_format.h"
#include "schema/dynamic/value_reader.h"
#include "schema/dynamic/value_writer.h"

namespace leat::python {

/// Walks Python objects and writes them. A refused object is a Python error (TypeError or ValueError) whose
/// message begins with the path: "args[0]['frames'][3]: a set can't be sent".
class ValueEncoder {
 public:
  explicit ValueEncoder(Sharing sharing) : sharing_(sharing) {}

  /// One value. `name` begins the path in errors. `exclusive`: nobody but the caller holds the object.
  void value(PyObject* object, const char* name, bool exclusive = false);
  /// The request of a call, from the arguments as vectorcall has them: `kwnames` is a tuple of names, or
  /// null.
  void call(PyObject* const* args, std::size_t positional, PyObject* kwnames);
  /// The iterator among the arguments of the call, if there is one: what it gives are the call's further
  /// messages.
  [[nodiscard]] py::object requests() const { return requests_; }
  Payload finish() && { return std::move(out_).finish(); }

 private:
  /// False: refused_ says why and path_ is being put together.
  bool write(PyObject* object, std::size_t depth, bool exclusive);
  bool write_int(PyObject* object);
  bool write_text(PyObject* object);
  bool write_bytes(PyObject* object);
  bool write_sequence(PyObject* object, bool tuple, std::size_t depth, bool exclusive);
  bool write_dict(PyObject* object, std::size_t depth, bool exclusive);
  bool write_array(PyObject* object, bool exclusive);
  bool write_numpy_scalar(PyObject* object);
  bool write_requests(PyObject* iterator);
  bool refuse(PyObject* exception, std::string why);
  bool refuse(const Status& status);
  bool check_depth(std::size_t depth);
  bool ok(const Status& status) { return status.ok() || refuse(status); }
  [[noreturn]] void raise(const std::string& root);

  values::ValueWriter out_;
  Sharing sharing_;
  bool arguments_ = false;
  py::object requests_;
  std::vector<std::string> path_;  ///< innermost first
  PyObject* refused_type_ = nullptr;
  std::string refused_;
};

/// The value in the payload; kInvalidArgument if there is none in it. `requests` stands in for the stream
/// among the arguments of a call; without it such a stream makes the value malformed.
[[nodiscard]] Result<py::object> decode_value(const Payload& payload,
                                              const std::function<py::object()>& requests = nullptr);

/// "a list", "numpy.float32": how an error names an object.
[[nodiscard]] std::string describe_type(PyObject* object);

}  // namespace leat::python
