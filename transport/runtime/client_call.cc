#include "transport/runtime/client_call.h"

#include <utility>

#include "core/base/pool.h"
#include "transport/runtime/clock.h"
#include "transport/runtime/dispatcher.h"
#include "transport/runtime/parent.h"

namespace leat::transport {

using session::Event;

namespace {

// Messages from here on may travel on bulk.
constexpr std::uint64_t kLarge = 64U << 10U;

}  // namespace

void ClientCallState::on_event(Event& event) {
  switch (event.kind) {
    case Event::Kind::kHeaders:
      has_headers = true;
      headers = std::move(event.metadata);
      break;
    case Event::Kind::kMessage:
      has_headers = true;
      bulk = id.channel() == Channel::kBulk || event.wire_bytes >= kLarge;
      replies.push({std::move(event.payload), event.wire_bytes});
      break;
    case Event::Kind::kEnded:
      ended = true;
      connection.count_end(began);
      status = std::move(event.status);
      trailing = std::move(event.metadata);
      break;
    default: break;
  }
}

bool ClientCallState::has_come(Moment moment) {
  if (ended) return true;
  if (moment == Moment::kReadable) return !replies.empty();
  return moment == Moment::kWritable && !connection.calls().session().full(id);
}

namespace {

Result<std::shared_ptr<ClientCallState>> begin(Connection& connection, Connection::Lock& lock,
                                               const MethodRef& method, std::optional<Payload> request,
                                               const CallOptions& options, const Context* parent,
                                               bool waited_for) {
  auto state = std::allocate_shared<ClientCallState>(PoolAllocator<ClientCallState>(), connection);
  const TimePoint at = now();
  TimePoint deadline = call::deadline_of(method, options, at);
  if (parent != nullptr) deadline = std::min(deadline, parent->deadline());
  if (!connection.calls().session().ready()) {
    connection.count_failure();
    // Lost between the choice of this connection and here.
    Status closed(Code::kUnavailable, connection.url() + ": the connection is closed");
    return failure(closed.mark_not_started());
  }
  const std::uint64_t bytes = request ? request->byte_size() : 0;
  const Result<wire::StreamId> id =
      connection.calls().start(method, std::move(request), options, deadline, at);
  if (!id) {
    connection.count_failure();
    return failure(id.error());
  }
  state->id = *id;
  state->bulk = id->channel() == Channel::kBulk;
  state->began = at;
  connection.keep(*id, state);
  if (waited_for || connection.alone()) {
    connection.flush(lock);
  } else {
    connection.flush_soon(lock, bytes, at);
  }
  return state;
}

void abandon(Connection& connection, Connection::Lock& lock, ClientCallState& state, Code code,
             const char* reason) {
  if (state.ended) return;
  state.ended = true;
  connection.count_end(state.began, now());
  state.status = Status(code, reason);
  connection.calls().cancel(state.id, code, reason);
  connection.announce(state);
  connection.drop(state.id);
  connection.flush(lock);
}

/// From now on the cancellation of the handler that the call is made for ends the call too. Without the lock.
void make_child(Connection& connection, Context* handler, const std::shared_ptr<ClientCallState>& state) {
  Parent* const parent = dynamic_cast<Parent*>(handler);
  if (parent == nullptr) return;
  parent->add_child([weak_connection = connection.weak_from_this(),
                     weak = std::weak_ptr<ClientCallState>(state)](const Status& why) {
    const std::shared_ptr<Connection> alive = weak_connection.lock();
    const std::shared_ptr<ClientCallState> child = weak.lock();
    if (!alive || !child) return false;
    Connection::Lock lock = alive->lock();
    if (child->ended) return false;
    if (!why.ok()) abandon(*alive, lock, *child, why.code(), "the handler that made this call was cancelled");
    return true;
  });
}

/// What ends by itself does not know what it was.
Status name_if_late(Status status, const MethodRef& method) {
  if (status.code() != Code::kDeadlineExceeded) return status;
  const std::string name = std::string(method.service) + "." + std::string(method.method);
  if (!status.message().starts_with(name)) status.with_context(name);
  return status;
}

}  // namespace

Result<Payload> call_unary(Connection& connection, const MethodRef& method, Payload request,
                           const CallOptions& options) {
  Context* const parent = parent_of(options);
  Connection::Lock lock = connection.lock();
  const auto begun = begin(connection, lock, method, std::move(request), options, parent, true);
  if (!begun) return failure(begun.error());
  ClientCallState& state = **begun;
  if (parent != nullptr) {
    lock.unlock();
    make_child(connection, parent, *begun);
    lock.lock();
  }
  if (Status waited = connection.wait(lock, state, [&state] { return state.ended; }); !waited.ok()) {
    abandon(connection, lock, state, waited.code(), "the caller was interrupted");
  }
  if (state.status.ok() && state.replies.size() != 1) {
    state.status = Status(Code::kInternal, "the server answered a unary call with " +
                                               std::to_string(state.replies.size()) + " messages");
  }
  if (options.received != nullptr) *options.received = {std::move(state.headers), std::move(state.trailing)};
  if (!state.status.ok()) {
    connection.count_failure();
    return failure(name_if_late(std::move(state.status), method));
  }
  return std::move(state.replies.front().payload);
}

namespace {

class StreamedCall final : public ClientCall {
 public:
  StreamedCall(std::shared_ptr<Connection> connection, std::shared_ptr<void> alive,
               std::shared_ptr<ClientCallState> state)
      : alive_(std::move(alive)), connection_(std::move(connection)), state_(std::move(state)) {}

  static void* operator new(std::size_t size) { return Pool::allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { Pool::free(block, size); }

  ~StreamedCall() override {
    if (!over_) cancel();
  }

  Result<std::optional<Payload>> only_reply() override {
    Connection::Lock lock = connection_->lock();
    const bool done = wait(lock, [this] { return state_->ended || state_->replies.size() > 1; });
    if (!done || state_->replies.size() > 1) {
      lock.unlock();
      return ClientCall::only_reply();
    }
    over_ = true;
    if (!state_->status.ok()) {
      connection_->count_failure();
      return failure(state_->status);
    }
    return take(lock);
  }

  std::optional<Payload> read() override {
    Connection::Lock lock = connection_->lock();
    if (!wait(lock, [this] { return !state_->replies.empty() || state_->ended; })) return std::nullopt;
    return take(lock);
  }

  Polled try_read() override {
    Connection::Lock lock = connection_->lock();
    if (state_->replies.empty() && !state_->ended) return {true, std::nullopt};
    return {false, take(lock)};
  }

  Status write(Payload request) override {
    Connection::Lock lock = connection_->lock_to_send(request);
    if (half_closed_) return state_->status.ok() ? no_more() : state_->status;
    session::Session& session = connection_->calls().session();
    const bool room = wait(lock, [this, &session] { return state_->ended || !session.full(state_->id); });
    if (!room || state_->ended) return state_->status.ok() ? ended_early() : state_->status;
    const std::uint64_t bytes = request.byte_size();
    Status sent = session.send(state_->id, std::move(request), false);
    connection_->flush_soon(lock, bytes);
    return sent;
  }

  Result<bool> try_write(Payload& request) override {
    Connection::Lock lock = connection_->lock_to_send(request);
    if (half_closed_ && state_->status.ok()) return failure(no_more());
    if (state_->ended) return failure(state_->status.ok() ? ended_early() : state_->status);
    session::Session& session = connection_->calls().session();
    if (session.full(state_->id)) return false;
    const std::uint64_t bytes = request.byte_size();
    Status sent = session.send(state_->id, std::move(request), false);
    connection_->flush_soon(lock, bytes);
    if (!sent.ok()) return failure(std::move(sent));
    return true;
  }

  bool ended() override {
    const Connection::Lock lock = connection_->lock();
    return state_->ended;
  }

  bool wait(Moment moment, Duration limit) override {
    Connection::Lock lock = connection_->lock();
    const auto come = [this, moment] { return state_->has_come(moment); };
    return connection_->wait(lock, *state_, come, after(limit)).ok() || come();
  }

  void when(Moment moment, std::function<void()> notify) override {
    connection_->watch_moment(connection_->lock(), *state_, moment, std::move(notify));
  }

  Status half_close() override {
    Connection::Lock lock = connection_->lock();
    half_closed_ = true;
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
  std::optional<Payload> take(Connection::Lock& lock) {
    if (state_->replies.empty()) return std::nullopt;
    ClientCallState::Reply reply = state_->replies.pop();
    connection_->consumed(lock, state_->id, reply.wire_bytes);
    return std::move(reply.payload);
  }

  static Status ended_early() { return {Code::kCancelled, "the server ended the call before all was sent"}; }

  static Status no_more() {
    return {Code::kFailedPrecondition, "this call's requests were closed before: no more can be written"};
  }

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
  bool half_closed_ = false;  // guarded by the connection's lock
  bool over_ = false;         // seen by the thread that reads
};

}  // namespace

Result<std::unique_ptr<ClientCall>> start_call(std::shared_ptr<Connection> connection,
                                               std::shared_ptr<void> alive, const MethodRef& method,
                                               std::optional<Payload> request, const CallOptions& options,
                                               Ancestry ancestry) {
  Context* const parent = ancestry == Ancestry::kHandler ? parent_of(options) : nullptr;
  Connection::Lock lock = connection->lock();
  auto begun = begin(*connection, lock, method, std::move(request), options, parent, false);
  if (!begun) return failure(begun.error());
  lock.unlock();
  make_child(*connection, parent, *begun);
  return std::make_unique<StreamedCall>(connection, std::move(alive), std::move(*begun));
}

namespace {

class ConnectionCaller final : public Caller {
 public:
  ConnectionCaller(std::shared_ptr<Connection> connection, std::shared_ptr<Dispatcher> threads)
      : connection_(std::move(connection)), threads_(std::move(threads)) {}

  Result<Payload> call(const MethodRef& method, Payload request, const CallOptions& options) override {
    return call_unary(*connection_, method, std::move(request), options);
  }
  Result<std::unique_ptr<ClientCall>> start(const MethodRef& method, std::optional<Payload> request,
                                            const CallOptions& options) override {
    return start_call(connection_, nullptr, method, std::move(request), options);
  }
  void post(std::function<void()> work) override {
    const std::shared_ptr<Dispatcher> alive = threads_;  // the work may be the end of this
    alive->post(std::move(work));
  }

 private:
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<Dispatcher> threads_;
};

}  // namespace

std::shared_ptr<Caller> make_caller(std::shared_ptr<Connection> connection,
                                    std::shared_ptr<Dispatcher> threads) {
  return std::make_shared<ConnectionCaller>(std::move(connection), std::move(threads));
}

}  // namespace leat::transport
