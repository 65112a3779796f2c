#include "options.h"

#include <cmath>
#include <string>
#include <utility>

#include "error.h"

namespace leat::python {

std::optional<Duration> to_duration(const py::object& seconds, const char* name) {
  if (seconds.is_none()) return std::nullopt;
  const double value = PyFloat_AsDouble(seconds.ptr());
  if (PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    throw py::type_error(std::string(name) + " is a number of seconds, got " +
                         py::repr(seconds).cast<std::string>());
  }
  if (std::isnan(value) || value < 0)
    throw py::value_error(std::string(name) + " is a number of seconds, not negative; got " +
                          py::repr(seconds).cast<std::string>());
  constexpr double kLongest = 1e9;  // thirty years: no limit
  if (value >= kLongest) return std::nullopt;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

Duration to_timeout(const py::object& seconds) {
  return to_duration(seconds, "timeout").value_or(Duration::max());
}

std::optional<Channel> to_channel(const py::object& name) {
  if (name.is_none()) return std::nullopt;
  const auto wanted = py::str(name).cast<std::string>();
  for (const Channel channel : {Channel::kStream, Channel::kRpc, Channel::kBulk})
    if (channel_name(channel) == wanted) return channel;
  throw py::value_error("no channel is called '" + wanted + "'; calls travel on 'stream', 'rpc' or 'bulk'");
}

namespace {

constexpr const char* kPairs = "metadata is a dictionary of str to str or bytes, or pairs of these";

std::string to_text(py::handle object) {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object.ptr(), &size);
  if (text == nullptr) throw py::error_already_set();
  return {text, static_cast<std::size_t>(size)};
}

}  // namespace

Metadata to_metadata(const py::object& pairs) {
  Metadata metadata;
  if (pairs.is_none()) return metadata;
  const py::object items = PyDict_Check(pairs.ptr()) != 0 ? py::object(pairs.attr("items")()) : pairs;
  const py::object iterator = steal(PyObject_GetIter(items.ptr()));
  if (!iterator) {
    PyErr_Clear();
    throw py::type_error(kPairs);
  }
  while (const py::object pair = steal(PyIter_Next(iterator.ptr()))) {
    if (PyTuple_CheckExact(pair.ptr()) == 0 || PyTuple_GET_SIZE(pair.ptr()) != 2)
      throw py::type_error(kPairs);
    const py::handle key = PyTuple_GET_ITEM(pair.ptr(), 0);
    const py::handle value = PyTuple_GET_ITEM(pair.ptr(), 1);
    const bool bytes = PyBytes_Check(value.ptr()) != 0;
    if (PyUnicode_Check(key.ptr()) == 0 || (!bytes && PyUnicode_Check(value.ptr()) == 0))
      throw py::type_error(kPairs);
    metadata.add(to_text(key), bytes ? value.cast<std::string>() : to_text(value));
  }
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  unwrap(metadata.validate());
  return metadata;
}

py::dict from_metadata(const Metadata& metadata) {
  py::dict result;
  for (const auto& [key, value] : metadata.entries()) {
    if (key.ends_with("-bin")) {
      result[py::str(key)] = py::bytes(value);
      continue;
    }
    const py::str name(key);
    std::string text = value;
    if (result.contains(name)) text.insert(0, result[name].cast<std::string>() + ", ");
    result[name] = py::str(text);
  }
  return result;
}

CallOptions with_options(CallOptions base, PyObject* args, PyObject* kwargs) {
  static const char* const kNames[] = {"timeout",    "channel",        "metadata",
                                       "idempotent", "wait_for_ready", nullptr};
  PyObject *timeout = Py_None, *channel = Py_None, *metadata = Py_None, *idempotent = Py_None,
           *wait_for_ready = Py_None;
  if (PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOOO:options", const_cast<char**>(kNames), &timeout,
                                  &channel, &metadata, &idempotent, &wait_for_ready) == 0)
    throw py::error_already_set();
  const auto truth = [](PyObject* object) {
    const int value = PyObject_IsTrue(object);
    if (value < 0) throw py::error_already_set();
    return value == 1;
  };
  if (timeout != Py_None) base.timeout = to_timeout(borrow(timeout));
  if (channel != Py_None) base.channel = to_channel(borrow(channel));
  if (metadata != Py_None) base.metadata = to_metadata(borrow(metadata));
  if (idempotent != Py_None) base.idempotent = truth(idempotent);
  if (wait_for_ready != Py_None) base.wait_for_ready = truth(wait_for_ready);
  return base;
}

}  // namespace leat::python
