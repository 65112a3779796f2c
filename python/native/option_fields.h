// The options of connections, from the objects of leat/_options.py, whose fields have the names of those in
// C++.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include <leat/peer.h>

#include "python.h"

namespace leat::python {

/// A number from an object's __index__, so that floats are refused; ValueError naming `name` for one beyond
/// `most`.
[[nodiscard]] std::uint64_t to_number(const py::object& object, const std::string& name, std::uint64_t most);
template <class T>
[[nodiscard]] T to_number(const py::object& object, const std::string& name) {
  return static_cast<T>(to_number(object, name, std::numeric_limits<T>::max()));
}
/// Seconds that are always some: None is so long that it is no limit, and can still be added to a time.
[[nodiscard]] Duration to_length(const py::object& seconds, const char* name);

/// From a leat.Limits and the like; None gives the defaults. TypeError for objects of other classes,
/// ValueError naming the field ("Limits.max_streams") for nonsense.
[[nodiscard]] ConnectionLimits to_limits(const py::object& limits);
[[nodiscard]] SendingOptions to_sending(const py::object& sending);
[[nodiscard]] ReconnectOptions to_reconnect(const py::object& reconnect);
[[nodiscard]] RetryOptions to_retry(const py::object& retry);

/// What leat/_options.py, and the keywords of serve(), repeat: for the test that says so.
[[nodiscard]] py::dict default_options();

}  // namespace leat::python
