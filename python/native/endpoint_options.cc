#include "endpoint_options.h"

#include <memory>
#include <string>
#include <utility>

#include <pybind11/stl.h>

#include "bindings.h"
#include "error.h"
#include "gil.h"
#include "logger.h"
#include "object_service.h"
#include "option_fields.h"
#include "options.h"
#include "schema_service.h"

namespace leat::python {
namespace {

/// Tells Python of a peer's states, on a thread of Leat's.
std::function<void(const PeerEvent&)> make_watcher(py::object callback) {
  if (callback.is_none()) return {};
  return [callback = std::make_shared<SharedObject>(std::move(callback))](const PeerEvent& event) {
    const TakeGil gil;
    if (!gil.held()) return;
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    PyErr_Fetch(&type, &value, &trace);  // who closes a peer may be on the way with an error
    try {
      borrow(callback->get())(*from_event(event));
    } catch (py::error_already_set& error) {
      error.discard_as_unraisable("leat's watcher of a peer's state");
    }
    PyErr_Restore(type, value, trace);
  };
}

std::unique_ptr<ConnectSettings> make_connect_settings(const py::object& timeout, std::string name,
                                                       const py::object& call_timeout, bool wait_for_ready,
                                                       const py::object& limits, const py::object& reconnect,
                                                       const py::object& retry, const py::object& threads,
                                                       py::object on_state,
                                                       const py::sequence& interceptors) {
  auto settings = std::make_unique<ConnectSettings>();
  ConnectOptions& options = settings->options;
  options.timeout = to_length(timeout, "timeout");
  options.name = std::move(name);
  options.limits = to_limits(limits);
  if (PyBool_Check(reconnect.ptr()) != 0) {
    options.reconnect.enabled = reconnect.cast<bool>();
  } else {
    options.reconnect = to_reconnect(reconnect);
  }
  if (PyBool_Check(retry.ptr()) != 0) {
    if (!retry.cast<bool>()) options.retry.max_attempts = 1;
  } else {
    options.retry = to_retry(retry);
  }
  options.threads = to_number<unsigned>(threads, "threads");
  options.on_state = make_watcher(std::move(on_state));
  options.interceptors = to_interceptors(interceptors, settings->served);
  options.logger = make_logger();
  options.interrupted = [] { return interrupted(); };
  settings->calls.timeout = to_duration(call_timeout, "call_timeout");
  settings->calls.wait_for_ready = wait_for_ready;
  return settings;
}

std::unique_ptr<ServerSettings> make_server_settings(
    bool insecure, const py::object& threads, const py::object& max_inflight, const py::object& max_waiting,
    const py::object& handshake_timeout, const py::object& max_handshaking, const py::object& limits,
    const py::sequence& interceptors) {
  auto settings = std::make_unique<ServerSettings>();
  ServerOptions& options = settings->options;
  options.insecure = insecure;
  options.threads = to_number<unsigned>(threads, "threads");
  options.max_inflight = to_number<std::uint32_t>(max_inflight, "max_inflight");
  options.max_waiting = to_number<std::uint32_t>(max_waiting, "max_waiting");
  options.handshake_timeout = to_length(handshake_timeout, "handshake_timeout");
  options.max_handshaking = to_number<std::uint32_t>(max_handshaking, "max_handshaking");
  options.limits = to_limits(limits);
  options.interceptors = to_interceptors(interceptors, settings->served);
  options.logger = make_logger();
  options.drain_on_sigterm = false;  // leat/_server.py does that in Python's way
  return settings;
}

}  // namespace

py::tuple from_event(const PeerEvent& event) {
  return py::make_tuple(std::string(state_name(event.state)), event.epoch,
                        event.reason.ok() ? py::none() : exception_of(event.reason));
}

void bind_endpoint_options(py::module_& module) {
  const auto offer = [](ConnectSettings& self, std::shared_ptr<Service> service) {
    self.options.services.push_back(std::move(service));
  };
  py::class_<ConnectSettings>(module, "ConnectOptions")
      .def(py::init(&make_connect_settings), py::kw_only(), py::arg("timeout") = 5.0, py::arg("name") = "",
           py::arg("call_timeout") = py::none(), py::arg("wait_for_ready") = false,
           py::arg("limits") = py::none(), py::arg("reconnect") = true, py::arg("retry") = true,
           py::arg("threads") = 0, py::arg("on_state") = py::none(), py::arg("interceptors") = py::tuple())
      .def(
          "add_object",
          [offer](ConnectSettings& self, std::string name, py::object object, const MethodLimits& limits) {
            offer(self, make_object_service(std::move(name), std::move(object), limits));
          },
          py::arg("name"), py::arg("object"), py::arg("limits"))
      .def(
          "add_service",
          [offer](ConnectSettings& self, const py::object& schema, const std::string& service,
                  py::object instance, const py::list& attributes, const MethodLimits& limits) {
            offer(self, make_schema_service(schema, service, std::move(instance), attributes, limits));
            self.served->add(service, schema);
          },
          py::arg("schema"), py::arg("service"), py::arg("instance"), py::arg("attributes"),
          py::arg("limits"));
  py::class_<ServerSettings>(module, "ServerOptions")
      .def(py::init(&make_server_settings), py::kw_only(), py::arg("insecure") = false,
           py::arg("threads") = 0, py::arg("max_inflight") = 0, py::arg("max_waiting") = 65536,
           py::arg("handshake_timeout") = 5.0, py::arg("max_handshaking") = 128,
           py::arg("limits") = py::none(), py::arg("interceptors") = py::tuple());
  // For errors where the mistake is made, not where it is used.
  module.def("check_limits", [](const py::object& limits) { (void)to_limits(limits); });
  module.def("check_sending", [](const py::object& sending) { (void)to_sending(sending); });
  module.def("check_reconnect", [](const py::object& reconnect) { (void)to_reconnect(reconnect); });
  module.def("check_retry", [](const py::object& retry) { (void)to_retry(retry); });
  module.def("default_options", &default_options);
  module.def("set_process_assembly_bytes", [](const py::object& bytes) {
    unwrap(set_process_assembly_bytes(to_number<std::uint64_t>(bytes, "process_assembly_bytes")));
  });
}

}  // namespace leat::python
