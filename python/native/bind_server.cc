// The server's end.
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include <pybind11/stl.h>

#include <leat/server.h>

#include "bindings.h"
#include "call.h"
#include "error.h"
#include "gil.h"
#include "handler.h"
#include "logger.h"
#include "object_service.h"
#include "schema_service.h"

namespace leat::python {
namespace {

/// Closes without the GIL, since it waits for handlers that need it.
class ServerHandle {
 public:
  ServerHandle(bool insecure, unsigned threads) {
    ServerOptions options;
    options.insecure = insecure;
    options.threads = threads;
    options.logger = make_logger();
    server_ = std::make_shared<Server>(std::move(options));
  }
  ServerHandle(const ServerHandle&) = delete;
  ServerHandle& operator=(const ServerHandle&) = delete;
  ~ServerHandle() {
    const ReleaseGil released;
    server_.reset();
  }
  [[nodiscard]] Server& get() const noexcept { return *server_; }

  /// Closes on a thread of its own; false if that has not ended after `limit`. It goes on then.
  bool close_within(double limit) {
    struct Progress {
      std::mutex mutex;
      std::condition_variable changed;
      bool closed = false;
    };
    const ReleaseGil released;
    auto progress = std::make_shared<Progress>();
    std::thread([server = server_, progress] {
      server->close();
      const std::lock_guard lock(progress->mutex);
      progress->closed = true;
      progress->changed.notify_all();
    }).detach();
    std::unique_lock lock(progress->mutex);
    return progress->changed.wait_for(lock, std::chrono::duration<double>(limit),
                                      [&] { return progress->closed; });
  }

 private:
  std::shared_ptr<Server> server_;
};

template <class F>
auto without_gil(F&& body) {
  const ReleaseGil released;
  return std::forward<F>(body)();
}

py::dict stats(const ServerHandle& self) {
  const ServerStats stats = without_gil([&] { return self.get().stats(); });
  py::dict result;
  result["connections"] = stats.connections;
  result["connections_accepted"] = stats.connections_accepted;
  result["connections_refused"] = stats.connections_refused;
  result["calls"] = stats.calls;
  result["calls_failed"] = stats.calls_failed;
  return result;
}

void add(const ServerHandle& self, std::shared_ptr<Service> service) {
  unwrap(without_gil([&] { return self.get().add(std::move(service)); }));
}

}  // namespace

void bind_server(py::module_& module) {
  py::class_<ServerHandle>(module, "Server")
      .def(py::init<bool, unsigned>(), py::kw_only(), py::arg("insecure"), py::arg("threads"))
      .def(
          "add_object",
          [](const ServerHandle& self, std::string name, py::object object) {
            add(self, make_object_service(std::move(name), std::move(object)));
          },
          py::arg("name"), py::arg("object"))
      .def(
          "add_service",
          [](const ServerHandle& self, const py::object& schema, const std::string& service,
             py::object instance, const py::list& attributes) {
            add(self, make_schema_service(schema, service, std::move(instance), attributes));
          },
          py::arg("schema"), py::arg("service"), py::arg("instance"), py::arg("attributes"))
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
      .def("close", [](const ServerHandle& self) { without_gil([&] { self.get().close(); }); })
      .def("close_within", &ServerHandle::close_within, py::arg("seconds"))
      .def("stats", &stats);
  module.def("interrupt_handlers", &interrupt_handlers);
}

}  // namespace leat::python
