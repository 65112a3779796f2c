// What options can't be. Said when they are used, since a value that was silently changed into another is
// found late.
#include "transport/endpoint/check_options.h"

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include <leat/peer.h>

namespace leat {
namespace {

constexpr std::uint32_t kLeastWindow = 64U << 10U;
constexpr std::uint32_t kLeastPiece = 1U << 10U;
constexpr std::uint32_t kMostPiece = 512U << 10U;
constexpr std::uint32_t kLeastBulkInFlight = 256U << 10U;

/// Remembers the first fault.
class Checker {
 public:
  explicit Checker(std::string_view options) : options_(options) {}

  void at_least(std::string_view name, std::unsigned_integral auto value, std::uint64_t least) {
    if (value < least) fault(name, "is at least " + std::to_string(least) + ", got " + std::to_string(value));
  }
  void at_most(std::string_view name, std::unsigned_integral auto value, std::uint64_t most) {
    if (value > most) fault(name, "is at most " + std::to_string(most) + ", got " + std::to_string(value));
  }
  void not_negative(std::string_view name, Duration value) {
    if (value >= Duration::zero()) return;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
    fault(name, "is a length of time, not negative, got " + std::to_string(us) + " us");
  }
  void not_negative(std::string_view name, double value) {
    if (!(value >= 0)) fault(name, "is a number, not negative, got " + std::to_string(value));  // NaN, too
  }
  void nested(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  Status result() && { return std::move(status_); }

 private:
  void fault(std::string_view name, const std::string& what) {
    if (!status_.ok()) return;
    status_ = Status(Code::kInvalidArgument, std::string(options_) + "." + std::string(name) + " " + what);
  }

  std::string_view options_;
  Status status_;
};

}  // namespace

Status validate(const SendingOptions& sending) {
  Checker check("sending");
  check.at_least("stream_share_bytes", sending.stream_share_bytes, 1);
  check.at_least("rpc_share_bytes", sending.rpc_share_bytes, 1);
  check.at_least("bulk_share_bytes", sending.bulk_share_bytes, 1);
  check.at_least("control_share_bytes", sending.control_share_bytes, 1);
  check.at_least("bulk_piece_bytes", sending.bulk_piece_bytes, kLeastPiece);
  check.at_most("bulk_piece_bytes", sending.bulk_piece_bytes, kMostPiece);
  check.at_least("bulk_piece_beside_calls_bytes", sending.bulk_piece_beside_calls_bytes, kLeastPiece);
  check.at_most("bulk_piece_beside_calls_bytes", sending.bulk_piece_beside_calls_bytes, kMostPiece);
  if (sending.bulk_in_flight_beside_calls_bytes != 0)
    check.at_least("bulk_in_flight_beside_calls_bytes", sending.bulk_in_flight_beside_calls_bytes,
                   kLeastBulkInFlight);
  check.not_negative("lane_patience", sending.lane_patience);
  return std::move(check).result();
}

Status validate(const ConnectionLimits& limits) {
  Checker check("limits");
  check.at_least("stream_window_bytes", limits.stream_window_bytes, kLeastWindow);
  check.at_least("channel_window_bytes", limits.channel_window_bytes, kLeastWindow);
  check.not_negative("heartbeat_interval", limits.heartbeat_interval);
  check.not_negative("heartbeat_timeout", limits.heartbeat_timeout);
  check.not_negative("close_grace", limits.close_grace);
  check.not_negative("assembly_timeout", limits.assembly_timeout);
  check.not_negative("spin", limits.spin);
  check.nested(validate(limits.sending));
  return std::move(check).result();
}

Status validate(const ReconnectOptions& reconnect) {
  Checker check("reconnect");
  check.not_negative("first_backoff", reconnect.first_backoff);
  check.not_negative("max_backoff", reconnect.max_backoff);
  check.not_negative("give_up_after", reconnect.give_up_after);
  return std::move(check).result();
}

Status validate(const RetryOptions& retry) {
  Checker check("retry");
  check.at_least("max_attempts", retry.max_attempts, 1);
  check.not_negative("first_backoff", retry.first_backoff);
  check.not_negative("max_backoff", retry.max_backoff);
  check.not_negative("budget_tokens", retry.budget_tokens);
  check.not_negative("budget_refund", retry.budget_refund);
  return std::move(check).result();
}

namespace transport {

Status check_options(const ConnectOptions& options) {
  Checker check("connect");
  check.not_negative("timeout", options.timeout);
  check.nested(validate(options.limits));
  check.nested(validate(options.reconnect));
  check.nested(validate(options.retry));
  return std::move(check).result();
}

Status check_options(const ServerOptions& options) {
  Checker check("serve");
  check.not_negative("handshake_timeout", options.handshake_timeout);
  check.not_negative("drain_limit", options.drain_limit);
  check.nested(validate(options.limits));
  return std::move(check).result();
}

}  // namespace transport
}  // namespace leat
