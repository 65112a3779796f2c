// The server's end.
#include <memory>
#include <string>
#include <utility>

#include <pybind11/stl.h>

#include <leat/server.h>

#include "bindings.h"
#include "closing.h"
#include "endpoint_options.h"
#include "error.h"
#include "gil.h"
#include "handler.h"
#include "handler_loop.h"
#include "object_service.h"
#include "options.h"
#include "schema_service.h"
#include "stats.h"

namespace leat::python {
namespace {

/// Closes without the GIL, since it waits for handlers that need it.
class ServerHandle {
 public:
  explicit ServerHandle(const ServerSettings& settings)
      : served_(settings.served), server_(std::make_shared<Server>(settings.options)) {}
  ServerHandle(const ServerHandle&) = delete;
  ServerHandle& operator=(const ServerHandle&) = delete;
  ~ServerHandle() {
    const ReleaseGil released;
    server_.reset();
  }
  [[nodiscard]] Server& get() const noexcept { return *server_; }
  [[nodiscard]] ServedSchemas& served() const noexcept { return *served_; }
  [[nodiscard]] const std::shared_ptr<HandlerLoop>& handler_loop() const noexcept { return handler_loop_; }

  /// Closes on a thread of its own; false if that has not ended after `limit`. It goes on then.
  bool close_within(double limit) {
    return closing_.within(limit, [server = server_] { server->close(); });
  }

 private:
  std::shared_ptr<ServedSchemas> served_;
  std::shared_ptr<Server> server_;
  Ending closing_;
  std::shared_ptr<HandlerLoop> handler_loop_ = HandlerLoop::for_server();
};

py::dict stats(const ServerHandle& self) {
  const ServerStats stats = without_gil([&] { return self.get().stats(); });
  py::dict result;
  result["connections"] = stats.connections;
  result["connections_accepted"] = stats.connections_accepted;
  result["connections_refused"] = stats.connections_refused;
  result["calls"] = stats.calls;
  result["calls_failed"] = stats.calls_failed;
  result["latency"] = from_latency(stats.latency);
  return result;
}

void add(const ServerHandle& self, std::shared_ptr<Service> service) {
  unwrap(without_gil([&] { return self.get().add(std::move(service)); }));
}

}  // namespace

void bind_server(py::module_& module) {
  py::class_<ServerHandle>(module, "Server")
      .def(py::init<const ServerSettings&>(), py::arg("options"))
      .def(
          "add_object",
          [](const ServerHandle& self, std::string name, py::object object, const MethodLimits& limits) {
            const ServesOn here(self.handler_loop());
            add(self, make_object_service(std::move(name), std::move(object), limits));
          },
          py::arg("name"), py::arg("object"), py::arg("limits"))
      .def(
          "add_service",
          [](const ServerHandle& self, const py::object& schema, const std::string& service,
             py::object instance, const py::list& attributes, const MethodLimits& limits) {
            const ServesOn here(self.handler_loop());
            add(self, make_schema_service(schema, service, std::move(instance), attributes, limits));
            self.served().add(service, schema);
          },
          py::arg("schema"), py::arg("service"), py::arg("instance"), py::arg("attributes"),
          py::arg("limits"))
      .def("listen",
           [](const ServerHandle& self, const std::string& url) {
             return unwrap(without_gil([&] { return self.get().listen(url); }));
           })
      .def("urls", [](const ServerHandle& self) { return without_gil([&] { return self.get().urls(); }); })
      .def("wait_for",
           [](const ServerHandle& self, double seconds) {
             return without_gil([&] {
               return self.get().wait_for(
                   std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
             });
           })
      .def(
          "set_health",
          [](const ServerHandle& self, const std::string& name, bool serving) {
            unwrap(without_gil([&] { return self.get().set_health(name, serving); }));
          },
          py::arg("name"), py::arg("serving"))
      .def(
          "drain",
          [](const ServerHandle& self, const py::object& timeout) {
            const Duration limit = to_duration(timeout, "timeout").value_or(Duration::max());
            return without_gil([&] { return self.get().drain(limit); });
          },
          py::arg("timeout"))
      .def("close", [](const ServerHandle& self) { without_gil([&] { self.get().close(); }); })
      .def("close_within", &ServerHandle::close_within, py::arg("seconds"))
      .def(
          "stop_loop",
          [](const ServerHandle& self, const py::object& seconds) {
            return self.handler_loop()->stop(seconds);
          },
          py::arg("seconds"))
      .def("stats", &stats);
  module.def("interrupt_handlers", &interrupt_handlers);
}

}  // namespace leat::python
