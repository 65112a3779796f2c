// The client's end of a connection.
#include <string>
#include <utility>

#include <pybind11/stl.h>

#include <leat/peer.h>

#include "bindings.h"
#include "caller.h"
#include "closing.h"
#include "endpoint_options.h"
#include "error.h"
#include "gil.h"
#include "object_method.h"
#include "object_service.h"
#include "options.h"
#include "schema_service.h"
#include "stats.h"

namespace leat::python {
namespace {

std::unique_ptr<PeerHandle> connect_peer(const std::string& url, const ConnectSettings& settings) {
  const ConnectOptions& options = settings.options;
  Result<Peer> peer = [&] {
    const ReleaseGil released;
    return connect(url, options);
  }();
  return std::make_unique<PeerHandle>(unwrap(std::move(peer)), settings.calls, settings.served);
}

/// As long as the user wants; None: for ever.
Duration to_limit(const py::object& seconds) {
  return to_duration(seconds, "timeout").value_or(Duration::max());
}

py::dict stats(const PeerHandle& self) {
  const PeerStats stats = without_gil([&] { return self.peer().stats(); });
  py::dict result;
  result["bytes_sent"] = stats.bytes_sent;
  result["bytes_received"] = stats.bytes_received;
  result["calls_started"] = stats.calls_started;
  result["calls_failed"] = stats.calls_failed;
  result["calls_in_flight"] = stats.calls_in_flight;
  result["lanes"] = stats.lanes;
  result["latency"] = from_latency(stats.latency);
  return result;
}

std::vector<std::string> services(const PeerHandle& self) {
  const ReleaseGil released;
  std::vector<std::string> names;
  for (RemoteService& service : self.peer().services()) names.push_back(std::move(service.name));
  return names;
}

void add(const PeerHandle& self, std::shared_ptr<Service> service) {
  unwrap(without_gil([&] { return self.peer().add(std::move(service)); }));
}

}  // namespace

void bind_peer(py::module_& module) {
  py::class_<CallerHandle>(module, "Caller")
      .def("url", &CallerHandle::url)
      .def(
          "method",
          [](const CallerHandle& self, std::string object, std::string method) {
            return make_remote_method(
                self.target(make_object_method(std::move(object), std::move(method)), self.calls()));
          },
          py::arg("object"), py::arg("method"));
  py::class_<PeerHandle, CallerHandle>(module, "Peer")
      .def("transport", [](const PeerHandle& self) { return std::string(self.peer().transport()); })
      .def("services", &services)
      .def("state",
           [](const PeerHandle& self) {
             return std::string(state_name(without_gil([&] { return self.peer().state(); })));
           })
      .def("epoch", [](const PeerHandle& self) { return without_gil([&] { return self.peer().epoch(); }); })
      .def(
          "wait_ready",
          [](const PeerHandle& self, const py::object& timeout) {
            const Duration limit = to_limit(timeout);
            unwrap(without_gil([&] { return self.peer().wait_ready(limit); }));
          },
          py::arg("timeout"))
      .def(
          "health",
          [](const PeerHandle& self, const std::string& name, const py::object& timeout) {
            const Duration limit = to_limit(timeout);
            return unwrap(without_gil([&] { return self.peer().health(name, limit); }));
          },
          py::arg("name"), py::arg("timeout"))
      .def(
          "add_object",
          [](const PeerHandle& self, std::string name, py::object object, const MethodLimits& limits) {
            add(self, make_object_service(std::move(name), std::move(object), limits));
          },
          py::arg("name"), py::arg("object"), py::arg("limits"))
      .def(
          "add_service",
          [](const PeerHandle& self, const py::object& schema, const std::string& service,
             py::object instance, const py::list& attributes, const MethodLimits& limits) {
            add(self, make_schema_service(schema, service, std::move(instance), attributes, limits));
            self.served().add(service, schema);
          },
          py::arg("schema"), py::arg("service"), py::arg("instance"), py::arg("attributes"),
          py::arg("limits"))
      .def("stats", &stats)
      .def("close", [](const PeerHandle& self) { without_gil([&] { self.peer().close(); }); })
      .def(
          "close_within",
          [](PeerHandle& self, double seconds) {
            return self.closing.within(seconds, [peer = self.peer()]() mutable { peer.close(); });
          },
          py::arg("seconds"));
  module.def("connect", &connect_peer, py::arg("url"), py::arg("options"));
}

}  // namespace leat::python
