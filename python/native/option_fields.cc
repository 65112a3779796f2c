#include "option_fields.h"

#include <cctype>
#include <type_traits>
#include <utility>

#include <leat/server.h>

#include "error.h"
#include "options.h"

namespace leat::python {
namespace {

constexpr Duration kAges = std::chrono::hours(24 * 365);

/// Fills options from an object; TypeError beginning with `what` if it is of another class.
template <class T>
void fill(T& options, const py::object& from, const char* what);

// Both of these visit the fields of a structure of options: one fills them from an object, the other makes a
// dictionary of them.
class Reading {
 public:
  explicit Reading(py::object from)
      : from_(std::move(from)), type_(py::type::of(from_).attr("__name__").cast<std::string>()) {}

  template <class T>
    requires std::is_unsigned_v<T>
  void operator()(const char* name, T& field) const {
    if constexpr (std::is_same_v<T, bool>) {
      field = truth(name);
    } else {
      field = to_number<T>(from_.attr(name), where(name));
    }
  }
  void operator()(const char* name, double& field) const {
    const py::object given = from_.attr(name);
    field = PyFloat_AsDouble(given.ptr());
    if (PyErr_Occurred() != nullptr) {
      PyErr_Clear();
      throw py::type_error(where(name) + " is a number, got " + py::repr(given).cast<std::string>());
    }
    if (!(field >= 0)) throw py::value_error(where(name) + " is a number, not negative");
  }
  void operator()(const char* name, Duration& field) const {
    field = to_length(from_.attr(name), where(name).c_str());
  }
  /// A length of time that None and 0 mean never by.
  void or_never(const char* name, Duration& field) const {
    field = to_duration(from_.attr(name), where(name).c_str()).value_or(Duration::zero());
  }
  void nested(const char* name, SendingOptions& field) const {
    fill(field, from_.attr(name), (where(name) + " is a leat.Sending").c_str());
  }

 private:
  [[nodiscard]] std::string where(const char* name) const { return type_ + "." + name; }
  [[nodiscard]] bool truth(const char* name) const {
    const int value = PyObject_IsTrue(from_.attr(name).ptr());
    if (value < 0) throw py::error_already_set();
    return value == 1;
  }
  py::object from_;
  std::string type_;
};

class Writing {
 public:
  explicit Writing(py::dict into) : into_(std::move(into)) {}
  template <class T>
  void operator()(const char* name, T& field) const {
    into_[name] = field;
  }
  void operator()(const char* name, Duration& field) const { into_[name] = to_seconds(field); }
  void or_never(const char* name, Duration& field) const { into_[name] = to_seconds(field); }
  template <class T>
  void nested(const char* name, T& field) const {
    py::dict fields;
    visit(Writing(fields), field);
    into_[name] = fields;
  }

 private:
  mutable py::dict into_;
};

template <class Visitor>
void visit(const Visitor& each, SendingOptions& sending) {
  each("stream_share_bytes", sending.stream_share_bytes);
  each("rpc_share_bytes", sending.rpc_share_bytes);
  each("bulk_share_bytes", sending.bulk_share_bytes);
  each("control_share_bytes", sending.control_share_bytes);
  each("bulk_threshold_bytes", sending.bulk_threshold_bytes);
  each("bulk_piece_bytes", sending.bulk_piece_bytes);
  each("bulk_piece_beside_calls_bytes", sending.bulk_piece_beside_calls_bytes);
  each("bulk_in_flight_beside_calls_bytes", sending.bulk_in_flight_beside_calls_bytes);
  each("second_lane", sending.second_lane);
  each("lane_patience", sending.lane_patience);
}

template <class Visitor>
void visit(const Visitor& each, ConnectionLimits& limits) {
  each("max_message_bytes", limits.max_message_bytes);
  each("assembly_bytes", limits.assembly_bytes);
  each("stream_window_bytes", limits.stream_window_bytes);
  each("max_stream_window_bytes", limits.max_stream_window_bytes);
  each("stream_windows_bytes", limits.stream_windows_bytes);
  each("channel_window_bytes", limits.channel_window_bytes);
  each("max_streams", limits.max_streams);
  each("max_metadata_bytes", limits.max_metadata_bytes);
  each.or_never("heartbeat_interval", limits.heartbeat_interval);
  each.or_never("heartbeat_timeout", limits.heartbeat_timeout);
  each.or_never("assembly_timeout", limits.assembly_timeout);
  each.or_never("close_grace", limits.close_grace);
  each("max_cancels_per_second", limits.max_cancels_per_second);
  each("max_useless_frames_per_second", limits.max_useless_frames_per_second);
  each("max_control_bytes", limits.max_control_bytes);
  each.or_never("spin", limits.spin);
  each.nested("sending", limits.sending);
}

template <class Visitor>
void visit(const Visitor& each, ReconnectOptions& reconnect) {
  each("first_backoff", reconnect.first_backoff);
  each("max_backoff", reconnect.max_backoff);
  each.or_never("give_up_after", reconnect.give_up_after);
}

template <class Visitor>
void visit(const Visitor& each, RetryOptions& retry) {
  each("max_attempts", retry.max_attempts);
  each("first_backoff", retry.first_backoff);
  each("max_backoff", retry.max_backoff);
  each("budget_tokens", retry.budget_tokens);
  each("budget_refund", retry.budget_refund);
}

template <class T>
void fill(T& options, const py::object& from, const char* what) {
  try {
    visit(Reading(from), options);
  } catch (py::error_already_set& error) {
    if (!error.matches(PyExc_AttributeError)) throw;
    throw py::type_error(std::string(what) + ", got " + py::repr(from).cast<std::string>());
  }
}

/// ValueError if C++ would refuse them.
template <class T>
T read(const py::object& from, const char* what) {
  T options;
  if (from.is_none()) return options;
  fill(options, from, what);
  if (const Status valid = validate(options); !valid.ok()) {
    std::string message = valid.message();  // begins with "limits.", as the class does with "Limits."
    message.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(message.front())));
    throw py::value_error(message);
  }
  return options;
}

template <class T>
py::dict defaults() {
  T options;
  py::dict fields;
  visit(Writing(fields), options);
  return fields;
}

}  // namespace

std::uint64_t to_number(const py::object& object, const std::string& name, std::uint64_t most) {
  const py::object index = steal(PyNumber_Index(object.ptr()));
  if (!index) {
    PyErr_Clear();
    throw py::type_error(name + " is a whole number, got " + py::repr(object).cast<std::string>());
  }
  const unsigned long long value = PyLong_AsUnsignedLongLong(index.ptr());
  const bool wrong = PyErr_Occurred() != nullptr;
  PyErr_Clear();
  if (wrong || value > most)
    throw py::value_error(name + " is a number from 0 to " + std::to_string(most) + ", got " +
                          py::repr(object).cast<std::string>());
  return value;
}

Duration to_length(const py::object& seconds, const char* name) {
  return to_duration(seconds, name).value_or(kAges);
}

ConnectionLimits to_limits(const py::object& limits) {
  return read<ConnectionLimits>(limits, "limits is a leat.Limits");
}
SendingOptions to_sending(const py::object& sending) {
  return read<SendingOptions>(sending, "sending is a leat.Sending");
}
ReconnectOptions to_reconnect(const py::object& reconnect) {
  return read<ReconnectOptions>(reconnect, "reconnect is True, False or a leat.Reconnect");
}
RetryOptions to_retry(const py::object& retry) {
  return read<RetryOptions>(retry, "retry is True, False or a leat.Retry");
}

py::dict default_options() {
  py::dict all;
  all["Limits"] = defaults<ConnectionLimits>();
  all["Reconnect"] = defaults<ReconnectOptions>();
  all["Retry"] = defaults<RetryOptions>();
  const ServerOptions server;
  all["serve"] = py::dict(py::arg("threads") = server.threads, py::arg("max_inflight") = server.max_inflight,
                          py::arg("max_waiting") = server.max_waiting,
                          py::arg("handshake_timeout") = to_seconds(server.handshake_timeout),
                          py::arg("max_handshaking") = server.max_handshaking,
                          py::arg("drain_limit") = to_seconds(server.drain_limit));
  return all;
}

}  // namespace leat::python
