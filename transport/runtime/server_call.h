// One call as the server's handler sees it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <leat/service.h>

#include "core/base/queue.h"
#include "transport/runtime/connection.h"
#include "transport/runtime/dispatcher.h"

namespace leat::transport {

/// The connection's lock guards what arrives; the rest belongs to the one thread that runs the handler.
class ServerCallState final : public CallState, public ServerCall, private Context {
 public:
  ServerCallState(std::shared_ptr<Connection> connection, Dispatcher& dispatcher, Dispatcher::Job job,
                  session::Event& opened, TimePoint at);

  /// Starts the handler now if it reads its requests itself; else it starts with the request. Lock held.
  void opened();
  void on_event(session::Event& event) override;

  // ServerCall.
  [[nodiscard]] Context& context() noexcept override { return *this; }
  [[nodiscard]] std::string_view method() const noexcept override { return method_; }
  [[nodiscard]] CallKind kind() const noexcept override { return kind_; }
  Result<std::optional<Payload>> read() override;
  Status write(Payload reply) override;
  Status write_last(Payload reply) override;
  Status send_initial_metadata(Metadata metadata) override;
  void set_trailing_metadata(Metadata metadata) override { trailing_ = std::move(metadata); }

 private:
  // Context.
  [[nodiscard]] TimePoint deadline() const noexcept override { return deadline_; }
  [[nodiscard]] std::optional<Duration> remaining() const noexcept override;
  [[nodiscard]] bool cancelled() const noexcept override { return over_.load(std::memory_order_acquire); }
  [[nodiscard]] const Metadata& metadata() const noexcept override { return metadata_; }
  [[nodiscard]] std::string_view peer_address() const noexcept override { return connection_->remote(); }

  void start();
  void handle();
  void finish(const Status& status);

  struct Request {
    Payload payload;
    std::uint64_t wire_bytes = 0;
  };
  std::shared_ptr<Connection> connection_;
  Dispatcher& dispatcher_;
  std::shared_ptr<Dispatcher> alive_;  // a handler may close and let go of the server that it runs in
  Dispatcher::Job job_;
  wire::StreamId id_;
  std::string service_;
  std::string method_;
  CallKind kind_;
  Metadata metadata_;
  TimePoint deadline_ = kNever;

  Queue<Request> requests_;
  bool half_closed_ = false;
  bool started_ = false;
  std::atomic<bool> over_{false};  // nobody waits for the answer
  Status over_status_;

  std::optional<Payload> reply_;  // the last one; leaves with the status
  bool headers_sent_ = false;
  Metadata trailing_;
};

}  // namespace leat::transport
