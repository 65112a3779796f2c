// One call as the server's handler sees it.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include <leat/service.h>

#include "core/base/queue.h"
#include "transport/intercept/server.h"
#include "transport/runtime/clock.h"
#include "transport/runtime/connection.h"
#include "transport/runtime/dispatcher.h"
#include "transport/runtime/parent.h"

namespace leat::transport {

/// The connection's lock guards what arrives; the rest belongs to the one thread that runs the handler.
class ServerCallState final : public CallState, public ServerCall, public Context, public Parent {
 public:
  ServerCallState(std::shared_ptr<Connection> connection, Dispatcher& dispatcher, const Dispatcher::Job& job,
                  session::Event& opened, TimePoint at);

  /// Starts the handler now if it reads its requests itself; else it starts with the request. Lock held.
  /// False if the call is over already (refused).
  bool opened();
  void on_event(session::Event& event) override;
  [[nodiscard]] bool has_come(Moment moment) override;

  // ServerCall.
  [[nodiscard]] Context& context() noexcept override { return *this; }
  [[nodiscard]] std::string_view method() const noexcept override { return method_; }
  [[nodiscard]] CallKind kind() const noexcept override { return kind_; }
  Result<std::optional<Payload>> read() override;
  Status write(Payload reply) override;
  Status write_last(Payload reply) override;
  Status send_initial_metadata(Metadata metadata) override;
  void set_trailing_metadata(Metadata metadata) override { trailing_ = std::move(metadata); }
  Result<Polled> try_read() override;
  Result<bool> try_write(Payload& reply) override;
  void when(Moment moment, std::function<void()> notify) override;
  [[nodiscard]] std::shared_ptr<ServerCall> detach() override;
  void finish(Status status) override;

 private:
  // Context.
  [[nodiscard]] TimePoint deadline() const noexcept override { return deadline_; }
  [[nodiscard]] std::optional<Duration> remaining() const noexcept override;
  [[nodiscard]] bool cancelled() const noexcept override { return over_.load(std::memory_order_acquire); }
  [[nodiscard]] Status cancel_reason() const override { return cancelled() ? over_status_ : Status(); }
  [[nodiscard]] const Metadata& metadata() const noexcept override { return metadata_; }
  [[nodiscard]] std::string_view peer_address() const noexcept override { return connection_->remote(); }
  [[nodiscard]] std::shared_ptr<Caller> peer() override;
  [[nodiscard]] ServerCall* call() noexcept override { return outermost_; }
  bool wait_for(Duration limit) override;
  [[nodiscard]] std::stop_token stop_token() override;

  std::shared_ptr<ServerCallState> self() {
    return std::static_pointer_cast<ServerCallState>(shared_from_this());
  }
  void cancelled_by(Status why);
  void start();
  void handle();
  Handled run_handler(ServerCall& call);
  void conclude(const Status& status, TimePoint ended = real_now());

  struct Request {
    Payload payload;
    std::uint64_t wire_bytes = 0;
  };
  std::shared_ptr<Connection> connection_;
  Dispatcher& dispatcher_;
  std::shared_ptr<Dispatcher> alive_;  // a handler may close and let go of the server that it runs in
  const Dispatcher::Job job_;
  wire::StreamId id_;
  std::string service_;
  std::string method_;
  CallKind kind_;
  Metadata metadata_;
  TimePoint began_;
  TimePoint deadline_ = kNever;

  Queue<Request> requests_;
  bool half_closed_ = false;
  bool started_ = false;
  bool detached_ = false;             // the handler's own thread only
  std::shared_ptr<ServerCall> kept_;  // while the handler's function runs, it can't let go of its call
  bool concluded_ = false;            // the final status is out
  std::atomic<bool> over_{false};     // nobody waits for the answer
  Status over_status_;
  std::optional<std::stop_source> stop_;

  std::optional<Payload> reply_;  // the last one; leaves with the status
  bool headers_sent_ = false;
  ServerCall* outermost_ = this;  // with the interceptors around it
  Metadata trailing_;
};

}  // namespace leat::transport
