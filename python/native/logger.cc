#include "logger.h"

#include <string>

#include "gil.h"
#include "python.h"

namespace leat::python {

Logger make_logger() {
  return [](LogLevel level, std::string_view text) {
    const TakeGil gil;
    if (!gil.held()) return;
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);
    try {
      const int number = 10 * (static_cast<int>(level) + 1);  // DEBUG is 10, ERROR 40
      py::module_::import("logging").attr("getLogger")("leat").attr("log")(number, "%s", std::string(text));
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("leat's logger");
    }
    PyErr_Restore(type, value, trace);
  };
}

}  // namespace leat::python
