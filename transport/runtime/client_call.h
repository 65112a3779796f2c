// Calls as a client makes them, over a connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <leat/service.h>

#include "core/base/queue.h"
#include "transport/runtime/connection.h"

namespace leat::transport {

/// What has arrived for one call. Guarded by the connection's lock.
class ClientCallState final : public CallState {
 public:
  explicit ClientCallState(Connection& over) : connection(over) {}
  void on_event(session::Event& event) override;
  [[nodiscard]] bool has_come(Moment moment) override;

  struct Reply {
    Payload payload;
    std::uint64_t wire_bytes = 0;
  };
  Connection& connection;  // kept alive by whoever holds the call
  wire::StreamId id;
  TimePoint began;
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

/// Whether a call is bounded and cancelled by the handler that it is made in.
enum class Ancestry : std::uint8_t { kHandler, kNone };

/// Starts a call of any kind; does not block. `alive` is kept as long as the call is.
Result<std::unique_ptr<ClientCall>> start_call(std::shared_ptr<Connection> connection,
                                               std::shared_ptr<void> alive, const MethodRef& method,
                                               std::optional<Payload> request, const CallOptions& options,
                                               Ancestry ancestry = Ancestry::kHandler);

class Dispatcher;

/// The other side of a connection, to be called as long as the connection stands; callbacks run on the
/// dispatcher's threads.
std::shared_ptr<Caller> make_caller(std::shared_ptr<Connection> connection,
                                    std::shared_ptr<Dispatcher> threads);

}  // namespace leat::transport
