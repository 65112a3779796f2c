// The client's end of a connection.
#include <string>
#include <utility>

#include <pybind11/stl.h>

#include <leat/peer.h>

#include "bindings.h"
#include "call.h"
#include "error.h"
#include "gil.h"
#include "logger.h"
#include "peer.h"

namespace leat::python {
namespace {

PeerHandle connect_peer(const std::string& url, const py::object& timeout, const std::string& name) {
  ConnectOptions options;
  if (const std::optional<Duration> limit = to_duration(timeout, "timeout"))
    options.timeout = *limit;
  else
    options.timeout = std::chrono::hours(24 * 365);
  options.name = name;
  options.logger = make_logger();
  options.interrupted = [] { return interrupted(); };
  Result<Peer> peer = [&] {
    const ReleaseGil released;
    return connect(url, options);
  }();
  return PeerHandle(unwrap(std::move(peer)));
}

py::dict stats(const PeerHandle& self) {
  const PeerStats stats = [&] {
    const ReleaseGil released;
    return self.peer().stats();
  }();
  py::dict result;
  result["bytes_sent"] = stats.bytes_sent;
  result["bytes_received"] = stats.bytes_received;
  result["calls_started"] = stats.calls_started;
  result["calls_failed"] = stats.calls_failed;
  result["calls_in_flight"] = stats.calls_in_flight;
  return result;
}

std::vector<std::string> services(const PeerHandle& self) {
  const ReleaseGil released;
  std::vector<std::string> names;
  for (RemoteService& service : self.peer().services()) names.push_back(std::move(service.name));
  return names;
}

}  // namespace

void bind_peer(py::module_& module) {
  py::class_<PeerHandle>(module, "Peer")
      .def("url", [](const PeerHandle& self) { return self.peer().url(); })
      .def("transport", [](const PeerHandle& self) { return std::string(self.peer().transport()); })
      .def("services", &services)
      .def("connected",
           [](const PeerHandle& self) {
             const ReleaseGil released;
             return self.peer().connected();
           })
      .def("stats", &stats)
      .def("close",
           [](const PeerHandle& self) {
             const ReleaseGil released;
             Peer(self.peer()).close();
           })
      .def(
          "method",
          [](const PeerHandle& self, std::string object, std::string method) {
            return make_remote_method({self.peer().caller(), std::move(object), std::move(method), {}});
          },
          py::arg("object"), py::arg("method"));
  module.def("connect", &connect_peer, py::arg("url"), py::kw_only(), py::arg("timeout"), py::arg("name"));
}

}  // namespace leat::python
