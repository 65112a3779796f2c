#include "tests/sim/plan.h"

#include <algorithm>

#include <fmt/format.h>

namespace leat::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

LinkOptions make_link(Random& random) {
  LinkOptions lane;
  lane.latency = random.skewed(microseconds(5), milliseconds(40));
  lane.jitter = random.chance(50) ? random.skewed(microseconds(1), milliseconds(20)) : Duration::zero();
  lane.bytes_per_second = static_cast<double>(random.skewed(4 * kMiB, 4096 * kMiB));
  lane.capacity = random.skewed(8 * kKiB, kMiB);
  lane.largest_piece = random.chance(80) ? 64 * kKiB : random.skewed(512, 64 * kKiB);
  lane.shredded = random.chance(50) ? 5 : 0;
  return lane;
}

session::Options make_options(Random& random, std::string name) {
  session::Options options;
  options.name = std::move(name);
  options.link = "sim";
  options.stream_window = static_cast<std::uint32_t>(random.skewed(64 * kKiB, 512 * kKiB));
  // Small, so that messages of megabytes wait for each other.
  options.assembly_bytes = random.between(kMiB, 3 * kMiB);
  options.channel_window = static_cast<std::uint32_t>(random.skewed(64 * kKiB, 4 * kMiB));
  options.stream_windows_bytes = random.skewed(2 * kMiB, 64 * kMiB);
  options.max_stream_window = random.skewed(256 * kKiB, 16 * kMiB);
  options.bulk_threshold = random.skewed(16 * kKiB, 256 * kKiB);
  options.second_lane = random.chance(75);
  if (random.chance(50)) {
    options.heartbeat_interval = random.skewed(milliseconds(200), seconds(10));
    options.heartbeat_timeout = random.skewed(milliseconds(400), seconds(20));
  }
  if (random.chance(20)) options.heartbeat_interval = Duration::zero();
  options.max_message = random.chance(50) ? kMiB : options.assembly_bytes;
  return options;
}

std::vector<std::uint64_t> item_sizes(Random& random, std::uint64_t count) {
  std::vector<std::uint64_t> sizes;
  const std::uint64_t largest =
      random.chance(90) ? random.skewed(1, 16 * kKiB) : random.skewed(kKiB, 512 * kKiB);
  std::uint64_t left = 2 * kMiB;  // of all together, so that a seed takes no more than a moment
  for (std::uint64_t i = 0; i < count && left > 0; ++i) {
    sizes.push_back(random.chance(10) ? 0 : std::min(left, random.skewed(1, largest)));
    left -= sizes.back();
  }
  return sizes;
}

std::uint64_t single_size(Random& random) {
  const std::uint64_t which = random.below(100);
  if (which < 80) return random.skewed(0, 4 * kKiB);
  if (which < 93) return random.skewed(4 * kKiB, 512 * kKiB);
  if (which < 99) return random.between(256 * kKiB, kMiB);
  return random.between(kMiB, 5 * kMiB);  // above the limits of some
}

ReaderPlan make_reader(Random& random, bool limited) {
  ReaderPlan reader;
  if (random.chance(30)) reader.each = random.skewed(microseconds(10), milliseconds(20));
  if (random.chance(15)) {
    reader.stop_after = static_cast<std::uint32_t>(random.below(10));
    // For good only where something else ends the call.
    reader.stopped_for =
        limited && random.chance(50) ? Duration::zero() : random.skewed(milliseconds(1), seconds(2));
  }
  return reader;
}

Metadata make_metadata(Random& random, const char* what) {
  Metadata metadata;
  if (!random.chance(30)) return metadata;
  for (std::uint64_t i = random.between(1, 3); i > 0; --i)
    metadata.add(fmt::format("{}-{}", what, i), std::string(random.skewed(0, 2 * kKiB), 'm'));
  return metadata;
}

Status make_result(Random& random) {
  if (!random.chance(12)) return {};
  constexpr std::array kCodes = {Code::kNotFound, Code::kFailedPrecondition, Code::kAborted, Code::kDataLoss};
  // One draw a statement: compilers differ in the order of arguments.
  std::string message(random.skewed(1, 4 * kKiB), 'e');
  Status status(random.pick(kCodes), std::move(message));
  if (random.chance(30)) status.with_remote_traceback("SimError", std::string(random.skewed(1, 512), 't'));
  return status;
}

CallPlan make_call(Random& random, std::uint32_t number, const Plan& plan) {
  CallPlan call;
  call.number = number;
  call.route = static_cast<std::uint32_t>(random.below(plan.routes.size()));
  call.caller = random.chance(60) ? Side::kConnector : Side::kAcceptor;
  // In bursts as well as evenly.
  call.start = random.between(Duration::zero(), plan.busy);
  if (random.chance(40)) call.start -= call.start % (plan.busy / 8);
  constexpr std::array kKinds = {CallKind::kUnary,        CallKind::kUnary,        CallKind::kUnary,
                                 CallKind::kServerStream, CallKind::kClientStream, CallKind::kBidi};
  call.kind = random.pick(kKinds);
  call.idempotent = random.chance(30);
  if (random.chance(20)) {
    constexpr std::array kChannels = {Channel::kStream, Channel::kRpc, Channel::kBulk};
    call.channel = random.pick(kChannels);
  }
  if (random.chance(30)) call.timeout = random.skewed(microseconds(500), seconds(4));
  if (random.chance(12)) call.cancel_after = random.skewed(microseconds(1), seconds(2));
  const bool limited = call.timeout || call.cancel_after;

  const bool streams_requests = call.kind == CallKind::kClientStream || call.kind == CallKind::kBidi;
  const bool streams_replies = call.kind == CallKind::kServerStream || call.kind == CallKind::kBidi;
  call.requests.sizes = streams_requests ? item_sizes(random, random.skewed(0, 100))
                                         : std::vector<std::uint64_t>{single_size(random)};
  call.replies.sizes = streams_replies ? item_sizes(random, random.skewed(0, 100))
                                       : std::vector<std::uint64_t>{single_size(random)};
  for (WriterPlan* writer : {&call.requests, &call.replies}) {
    if (random.chance(30)) writer->between = random.skewed(microseconds(1), milliseconds(10));
    writer->end_apart = random.chance(50);
  }
  if (call.kind == CallKind::kBidi && random.chance(40)) {
    call.lockstep = true;
    const std::size_t rounds = std::min(call.requests.sizes.size(), call.replies.sizes.size());
    call.requests.sizes.resize(rounds);
    call.replies.sizes.resize(rounds);
  }
  call.caller_reads = make_reader(random, limited);
  call.callee_reads = make_reader(random, limited);
  if (random.chance(50)) call.work = random.skewed(microseconds(1), milliseconds(100));
  if (limited && random.chance(10)) call.work = seconds(3600);  // never answers
  if (random.chance(8)) call.early = static_cast<std::uint32_t>(random.below(call.replies.sizes.size() + 1));
  call.rejected = random.chance(4);
  call.initial = make_metadata(random, "initial");
  call.trailing = make_metadata(random, "trailing");
  call.result = make_result(random);
  return call;
}

/// Large requests all at once on one route, so that most of them have to wait for the others.
void add_crowd(Random& random, Plan& plan) {
  const auto route = static_cast<std::uint32_t>(random.below(plan.routes.size()));
  const Side caller = random.chance(50) ? Side::kConnector : Side::kAcceptor;
  const Duration start = random.between(Duration::zero(), plan.busy);
  for (std::uint64_t i = random.between(8, 16); i > 0; --i) {
    CallPlan call = make_call(random, static_cast<std::uint32_t>(plan.calls.size()) + 1, plan);
    call.route = route;
    call.caller = caller;
    call.start = start;
    call.kind = CallKind::kUnary;
    call.lockstep = false;
    call.requests.sizes = {random.between(256 * kKiB, kMiB)};
    call.replies.sizes = {0};
    if (call.early) call.early = 0;
    plan.calls.push_back(call);
  }
}

/// Calls that get through only if none of the credit and the budgets was lost on the way.
void add_probes(Plan& plan) {
  for (std::uint32_t route = 0; route < plan.routes.size(); ++route) {
    for (const Side caller : {Side::kConnector, Side::kAcceptor}) {
      const RoutePlan& between = plan.routes[route];
      CallPlan call;
      call.probe = true;
      call.number = static_cast<std::uint32_t>(plan.calls.size()) + 1;
      call.route = route;
      call.caller = caller;
      const auto most = [](const session::Options& options) {
        return std::min(options.max_message, options.assembly_bytes);
      };
      const std::uint64_t to_connector = most(between.connector_options);
      const std::uint64_t to_acceptor = most(between.acceptor_options);
      const bool by_connector = caller == Side::kConnector;
      call.requests.sizes = {by_connector ? to_acceptor : to_connector};
      call.replies.sizes = {by_connector ? to_connector : to_acceptor};
      plan.calls.push_back(call);
    }
  }
}

}  // namespace

Plan make_plan(std::uint64_t seed) {
  Random random(seed);
  Plan plan;
  plan.seed = seed;
  plan.nodes = static_cast<std::uint32_t>(random.between(2, 3));
  plan.process_budget = random.between(4 * kMiB, 12 * kMiB);
  plan.busy = random.skewed(seconds(1), seconds(12));
  for (std::uint64_t i = random.between(4, 5); i > 0; --i) {
    RoutePlan route;
    route.connector = static_cast<std::uint32_t>(random.below(plan.nodes));
    route.acceptor =
        (route.connector + 1 + static_cast<std::uint32_t>(random.below(plan.nodes - 1))) % plan.nodes;
    for (LinkOptions& lane : route.lanes) lane = make_link(random);
    route.lane_failures = random.chance(50) ? 30 : 0;
    route.connector_options = make_options(random, fmt::format("n{}", route.connector));
    route.acceptor_options = make_options(random, fmt::format("n{}", route.acceptor));
    if (random.chance(60)) route.mean_between_losses = plan.busy / static_cast<int>(random.between(1, 5));
    if (random.chance(60)) route.mean_between_stalls = plan.busy / static_cast<int>(random.between(1, 10));
    plan.routes.push_back(route);
  }
  const std::uint64_t calls = random.between(500, 600);
  for (std::uint32_t number = 1; number <= calls; ++number)
    plan.calls.push_back(make_call(random, number, plan));
  add_crowd(random, plan);
  add_probes(plan);
  return plan;
}

}  // namespace leat::sim
