// Calls as a client makes them, over a connection.
#pragma once

#include <memory>
#include <optional>

#include <leat/service.h>

#include "core/base/queue.h"
#include "transport/runtime/connection.h"

namespace leat::transport {

/// What has arrived for one call. Guarded by the connection's lock.
class ClientCallState final : public CallState {
 public:
  void on_event(session::Event& event) override;

  struct Reply {
    Payload payload;
    std::uint64_t wire_bytes = 0;
  };
  wire::StreamId id;
  Queue<Reply> replies;
  bool has_headers = false;
  Metadata headers;
  bool ended = false;
  Status status;
  Metadata trailing;
};

/// One request, one reply; blocks.
Result<Payload> call_unary(Connection& connection, const MethodRef& method, Payload request,
                           const CallOptions& options);

/// Starts a call of any kind. `alive` is kept as long as the call is.
Result<std::unique_ptr<ClientCall>> start_call(std::shared_ptr<Connection> connection,
                                               std::shared_ptr<void> alive, const MethodRef& method,
                                               std::optional<Payload> request, const CallOptions& options);

}  // namespace leat::transport
