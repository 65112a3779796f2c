#include "error.h"

#include <tuple>

#include <pybind11/stl.h>

namespace leat::python {

py::object exception_of(const Status& status) {
  py::list details;
  for (const StatusDetail& detail : status.details())
    details.append(py::make_tuple(detail.type, py::bytes(detail.value.text())));
  return py::module_::import("leat._errors")
      .attr("from_status")(std::string(code_name(status.code())), status.message(), status.remote_type(),
                           status.remote_traceback(), details, status.not_started(),
                           status.outcome_unknown());
}

void set_error(const Status& status) {
  if (PyErr_Occurred() != nullptr) return;
  try {
    const py::object exception = exception_of(status);
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.ptr())), exception.ptr());
  } catch (py::error_already_set& error) {
    error.restore();
  }
}

void raise(const Status& status) {
  set_error(status);
  throw py::error_already_set();
}

Status status_of(py::error_already_set& error, std::string_view where, bool quietly) {
  using Answer =
      std::tuple<int, std::string, std::string, std::string, std::vector<std::pair<std::string, py::bytes>>>;
  try {
    if (error.trace()) PyException_SetTraceback(error.value().ptr(), error.trace().ptr());
    const py::object answer =
        py::module_::import("leat._errors").attr("to_status")(error.value(), std::string(where), quietly);
    auto [code, message, type, traceback, details] = answer.cast<Answer>();
    Status status(static_cast<Code>(code), std::move(message));
    status.with_remote_traceback(std::move(type), std::move(traceback));
    for (auto& [detail_type, value] : details)
      status.with_detail({std::move(detail_type), Buffer::copy(std::string_view(value))});
    return status;
  } catch (py::error_already_set& second) {
    return {Code::kUnknown, "an exception that can't be described: " + std::string(second.what())};
  }
}

}  // namespace leat::python
