// What a seed decides before it runs: the nodes and what is between them, and for every call what both of its
// sides will do. Handlers look up the plan of the call that they are given, so that a checker knows what to
// expect of either side.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <leat/context.h>
#include <leat/service.h>
#include <leat/status.h>

#include "core/base/lane.h"
#include "core/session/event.h"
#include "tests/sim/network.h"
#include "tests/sim/random.h"

namespace leat::sim {

/// How somebody takes the messages of a stream.
struct ReaderPlan {
  Duration each{};                 ///< time spent on every message
  std::uint32_t stop_after = ~0U;  ///< messages taken before it stops
  Duration stopped_for{};          ///< then it goes on; zero: never
};

/// How somebody writes the messages of a stream.
struct WriterPlan {
  std::vector<std::uint64_t> sizes;
  Duration between{};      ///< pause after every message
  bool end_apart = false;  ///< the half-close, or the end, is a frame of its own
};

struct CallPlan {
  std::uint32_t number = 0;  ///< 1 and on
  std::uint32_t route = 0;
  Side caller = Side::kConnector;
  Duration start{};
  CallKind kind = CallKind::kUnary;
  bool idempotent = false;
  bool lockstep = false;  ///< bidirectional: each side waits for the other's message before it sends its next
  bool probe = false;     ///< made when all others have ended: needs a whole window and budget
  std::optional<Channel> channel;
  std::optional<Duration> timeout;
  std::optional<Duration> cancel_after;  ///< by the caller, after the start
  Metadata initial;                      ///< the callee's
  Metadata trailing;                     ///< the callee's
  WriterPlan requests;
  WriterPlan replies;
  ReaderPlan caller_reads;
  ReaderPlan callee_reads;
  Duration work{};                     ///< the callee's, before its first reply
  bool rejected = false;               ///< the callee refuses the first attempt before a handler sees it
  std::optional<std::uint32_t> early;  ///< the callee ends after that many replies, whatever is still to come
  Status result;                       ///< what the callee ends with
};

struct RoutePlan {
  std::uint32_t connector = 0;  ///< node
  std::uint32_t acceptor = 0;   ///< node
  std::array<LinkOptions, kLaneCount> lanes;
  session::Options connector_options;
  session::Options acceptor_options;
  Duration mean_between_losses{};  ///< zero: none
  Duration mean_between_stalls{};  ///< zero: none
  unsigned lane_failures = 0;      ///< percent of the attempts to open a second lane
};

struct Plan {
  std::uint64_t seed = 0;
  std::uint32_t nodes = 0;
  std::uint64_t process_budget = 0;  ///< of each node
  Duration busy{};                   ///< calls start and faults happen in this time
  std::vector<RoutePlan> routes;
  std::vector<CallPlan> calls;  ///< number n at n - 1
};

[[nodiscard]] Plan make_plan(std::uint64_t seed);

}  // namespace leat::sim
