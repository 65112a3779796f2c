#include "logger.h"

#include <memory>
#include <string>

#include "gil.h"

namespace leat::python {
namespace {

/// `find` gives the logging.Logger.
template <class Find>
void write(Find&& find, int level, std::string_view text) {
  const TakeGil gil;
  if (!gil.held()) return;
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  try {
    std::forward<Find>(find)().attr("log")(level, "%s", std::string(text));
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("leat's logger");
  }
  PyErr_Restore(type, value, trace);
}

}  // namespace

Logger make_logger() {
  return [](LogLevel level, std::string_view text) {
    const int number = 10 * (static_cast<int>(level) + 1);  // DEBUG is 10, ERROR 40
    write([] { return py::module_::import("logging").attr("getLogger")("leat"); }, number, text);
  };
}

std::function<void(int, std::string_view)> make_logger_to(const py::object& logger) {
  return [shared = std::make_shared<SharedObject>(logger)](int level, std::string_view text) {
    write([&] { return borrow(shared->get()); }, level, text);
  };
}

}  // namespace leat::python
