// What connect() and serve() may be told, as Python gives it.
#pragma once

#include <memory>

#include <leat/context.h>
#include <leat/peer.h>
#include <leat/server.h>

#include "interceptor.h"
#include "python.h"

namespace leat::python {

/// _native.ConnectOptions: for all kinds of peers, blocking and asynchronous.
struct ConnectSettings {
  ConnectOptions options;
  /// Of every call over the connection; an option of a call, and a deadline in a schema, go before them.
  CallOptions calls;
  std::shared_ptr<ServedSchemas> served = std::make_shared<ServedSchemas>();
};

/// _native.ServerOptions.
struct ServerSettings {
  ServerOptions options;
  std::shared_ptr<ServedSchemas> served = std::make_shared<ServedSchemas>();
};

/// The state's name, the epoch and the reason (an exception or None), as callbacks get them.
[[nodiscard]] py::tuple from_event(const PeerEvent& event);

}  // namespace leat::python
