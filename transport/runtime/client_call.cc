#include "transport/runtime/client_call.h"

#include <utility>

#include "transport/runtime/clock.h"

namespace leat::transport {

using session::Event;

void ClientCallState::on_event(Event& event) {
  switch (event.kind) {
    case Event::Kind::kHeaders:
      has_headers = true;
      headers = std::move(event.metadata);
      break;
    case Event::Kind::kMessage:
      has_headers = true;
      replies.push({std::move(event.payload), event.wire_bytes});
      break;
    case Event::Kind::kEnded:
      ended = true;
      status = std::move(event.status);
      trailing = std::move(event.metadata);
      break;
    default: break;
  }
}

namespace {

Result<std::shared_ptr<ClientCallState>> begin(Connection& connection, Connection::Lock& lock,
                                               const MethodRef& method, std::optional<Payload> request,
                                               const CallOptions& options) {
  auto state = std::make_shared<ClientCallState>();
  const TimePoint at = now();
  const TimePoint deadline = call::deadline_of(method, options, at);
  if (!connection.calls().session().ready()) {
    connection.count_failure();
    return failure(Code::kUnavailable, connection.url() + ": the connection is closed");
  }
  const Result<wire::StreamId> id =
      connection.calls().start(method, std::move(request), options, deadline, at);
  if (!id) {
    connection.count_failure();
    return failure(id.error());
  }
  state->id = *id;
  connection.keep(*id, state);
  connection.flush(lock);
  return state;
}

void abandon(Connection& connection, Connection::Lock& lock, ClientCallState& state, Code code,
             const char* reason) {
  if (state.ended) return;
  state.ended = true;
  state.status = Status(code, reason);
  connection.calls().cancel(state.id, code, reason);
  state.changed.notify_all();
  connection.drop(state.id);
  connection.flush(lock);
}

}  // namespace

Result<Payload> call_unary(Connection& connection, const MethodRef& method, Payload request,
                           const CallOptions& options) {
  Connection::Lock lock = connection.lock();
  const auto begun = begin(connection, lock, method, std::move(request), options);
  if (!begun) return failure(begun.error());
  ClientCallState& state = **begun;
  if (Status waited = connection.wait(lock, state, [&state] { return state.ended; }); !waited.ok()) {
    abandon(connection, lock, state, waited.code(), "the caller was interrupted");
  }
  if (state.status.ok() && state.replies.size() != 1) {
    state.status = Status(Code::kInternal, "the server answered a unary call with " +
                                               std::to_string(state.replies.size()) + " messages");
  }
  if (!state.status.ok()) {
    connection.count_failure();
    return failure(state.status);
  }
  return std::move(state.replies.front().payload);
}

namespace {

class StreamedCall final : public ClientCall {
 public:
  StreamedCall(std::shared_ptr<Connection> connection, std::shared_ptr<void> alive,
               std::shared_ptr<ClientCallState> state)
      : alive_(std::move(alive)), connection_(std::move(connection)), state_(std::move(state)) {}

  ~StreamedCall() override { cancel(); }

  std::optional<Payload> read() override {
    Connection::Lock lock = connection_->lock();
    if (!wait(lock, [this] { return !state_->replies.empty() || state_->ended; })) return std::nullopt;
    if (state_->replies.empty()) return std::nullopt;
    ClientCallState::Reply reply = state_->replies.pop();
    connection_->calls().session().consumed(state_->id, reply.wire_bytes);
    if (connection_->calls().session().has_output()) connection_->flush(lock);
    return std::move(reply.payload);
  }

  Status write(Payload request) override {
    Connection::Lock lock = connection_->lock();
    session::Session& session = connection_->calls().session();
    const bool room = wait(lock, [this, &session] { return state_->ended || !session.full(state_->id); });
    if (!room || state_->ended) return state_->status.ok() ? ended_early() : state_->status;
    Status sent = session.send(state_->id, std::move(request), false);
    connection_->flush(lock);
    return sent;
  }

  Status half_close() override {
    Connection::Lock lock = connection_->lock();
    connection_->calls().session().half_close(state_->id);
    connection_->flush(lock);
    return {};
  }

  Status finish() override {
    Connection::Lock lock = connection_->lock();
    // What nobody will read any more must not hold the server back.
    const bool done = wait(lock, [this] {
      while (!state_->replies.empty()) {
        connection_->calls().session().consumed(state_->id, state_->replies.pop().wire_bytes);
      }
      return state_->ended;
    });
    if (done && !state_->status.ok()) connection_->count_failure();
    return state_->status;
  }

  void cancel() noexcept override {
    Connection::Lock lock = connection_->lock();
    abandon(*connection_, lock, *state_, Code::kCancelled, "cancelled by the caller");
  }

  const Metadata& initial_metadata() override {
    Connection::Lock lock = connection_->lock();
    wait(lock, [this] { return state_->has_headers || state_->ended; });
    return state_->headers;
  }

  [[nodiscard]] const Metadata& trailing_metadata() const noexcept override { return state_->trailing; }

 private:
  static Status ended_early() { return {Code::kCancelled, "the server ended the call before all was sent"}; }

  /// False if the wait was interrupted, which ends the call.
  template <class Satisfied>
  bool wait(Connection::Lock& lock, Satisfied satisfied) {
    const Status waited = connection_->wait(lock, *state_, std::move(satisfied));
    if (waited.ok()) return true;
    abandon(*connection_, lock, *state_, waited.code(), "the caller was interrupted");
    return false;
  }

  std::shared_ptr<void> alive_;
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<ClientCallState> state_;
};

}  // namespace

Result<std::unique_ptr<ClientCall>> start_call(std::shared_ptr<Connection> connection,
                                               std::shared_ptr<void> alive, const MethodRef& method,
                                               std::optional<Payload> request, const CallOptions& options) {
  Connection::Lock lock = connection->lock();
  auto begun = begin(*connection, lock, method, std::move(request), options);
  if (!begun) return failure(begun.error());
  return std::make_unique<StreamedCall>(connection, std::move(alive), std::move(*begun));
}

}  // namespace leat::transport
