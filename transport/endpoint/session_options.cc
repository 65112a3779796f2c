#include "transport/endpoint/session_options.h"

#include <cstdlib>
#include <memory>
#include <mutex>
#include <sys/random.h>

#include "transport/runtime/warm_memory.h"

namespace leat::transport {
namespace {

/// The one budget of the process, made when it is first needed.
struct ProcessWide {
  std::mutex mutex;
  std::uint64_t assembly_bytes = std::uint64_t{4} << 30U;
  std::shared_ptr<session::ProcessBudget> budget;
};

ProcessWide& process_wide() {
  static auto* const kKept = new ProcessWide;  // outlives connections that static objects of the user's hold
  return *kKept;
}

std::shared_ptr<session::ProcessBudget> process_budget() {
  ProcessWide& process = process_wide();
  const std::lock_guard lock(process.mutex);
  if (!process.budget) process.budget = std::make_shared<session::ProcessBudget>(process.assembly_bytes);
  return process.budget;
}

}  // namespace

Status set_process_assembly_bytes(std::uint64_t bytes) {
  ProcessWide& process = process_wide();
  const std::lock_guard lock(process.mutex);
  if (process.budget) {
    return {Code::kFailedPrecondition,
            "process_assembly_bytes can't change any more: set it before the first connection is made or "
            "accepted"};
  }
  process.assembly_bytes = bytes;
  return {};
}

session::Options session_options(const ConnectionLimits& limits, std::string_view scheme) {
  session::Options options;
  options.link = scheme;
  options.max_stream_window = limits.max_stream_window_bytes;
  options.stream_windows_bytes = limits.stream_windows_bytes;
  options.channel_window = limits.channel_window_bytes;
  const SendingOptions& sending = limits.sending;
  options.bulk_threshold = sending.bulk_threshold_bytes;
  options.second_lane = sending.second_lane && scheme != "inproc";
  options.lane_patience = sending.lane_patience;
  options.scheduler.stream_quantum = sending.stream_share_bytes;
  options.scheduler.rpc_quantum = sending.rpc_share_bytes;
  options.scheduler.bulk_quantum = sending.bulk_share_bytes;
  options.scheduler.control_quantum = sending.control_share_bytes;
  options.scheduler.bulk_piece_alone = sending.bulk_piece_bytes;
  options.scheduler.bulk_piece_beside = sending.bulk_piece_beside_calls_bytes;
  if (sending.bulk_in_flight_beside_calls_bytes != 0) {
    options.scheduler.bulk_in_flight_beside = sending.bulk_in_flight_beside_calls_bytes;
  } else if (scheme.starts_with("zmq")) {
    options.scheduler.bulk_in_flight_beside = 512U << 10U;
  }
  options.max_message = limits.max_message_bytes;
  options.assembly_bytes = limits.assembly_bytes;
  options.stream_window = limits.stream_window_bytes;
  options.max_streams = limits.max_streams;
  options.max_metadata = limits.max_metadata_bytes;
  options.heartbeat_interval = limits.heartbeat_interval;
  options.heartbeat_timeout = limits.heartbeat_timeout;
  options.process_budget = process_budget();
  options.close_grace = limits.close_grace;
  options.assembly_timeout = limits.assembly_timeout;
  options.max_cancels = limits.max_cancels_per_second;
  options.max_useless_frames = limits.max_useless_frames_per_second;
  options.max_control_bytes = limits.max_control_bytes;
  options.allocate = allocate_warm;
  return options;
}

wire::Token make_token() {
  wire::Token token{};
  // Without random bytes no connection would be safe; the call can't fail on a kernel that Leat runs on.
  if (::getrandom(token.data(), token.size(), 0) != static_cast<ssize_t>(token.size())) std::abort();
  return token;
}

}  // namespace leat::transport

namespace leat {

Status set_process_assembly_bytes(std::uint64_t bytes) {
  return transport::set_process_assembly_bytes(bytes);
}

}  // namespace leat
