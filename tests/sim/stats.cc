#include "tests/sim/stats.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace leat::sim {
namespace {

/// Every number that has a line of its own.
std::vector<std::pair<std::string, std::uint64_t>> rows(const Stats& stats) {
  constexpr std::array<std::string_view, kKinds> kKindNames = {"unary", "server stream", "client stream",
                                                               "bidirectional"};
  std::vector<std::pair<std::string, std::uint64_t>> all;
  all.emplace_back("sessions", 2 * stats.links);
  all.emplace_back("calls", stats.calls);
  for (std::size_t i = 0; i < kKinds; ++i)
    all.emplace_back(fmt::format("  {}", kKindNames[i]), stats.by_kind[i]);
  for (std::size_t i = 0; i < kCodes; ++i) {
    if (stats.by_code[i] > 0)
      all.emplace_back(fmt::format("  ended {}", code_name(static_cast<Code>(i))), stats.by_code[i]);
  }
  all.emplace_back("attempts", stats.attempts);
  all.emplace_back("messages", stats.messages);
  all.emplace_back("frames", stats.frames);
  all.emplace_back("bytes", stats.bytes);
  all.emplace_back("connections lost", stats.losses);
  all.emplace_back("connections closed", stats.closes);
  all.emplace_back("connections drained", stats.drains);
  all.emplace_back("second lanes", stats.lanes);
  all.emplace_back("stalls", stats.stalls);
  all.emplace_back("events", stats.steps);
  all.emplace_back("simulated ms", static_cast<std::uint64_t>(
                                       std::chrono::floor<std::chrono::milliseconds>(stats.time).count()));
  return all;
}

}  // namespace

Stats& Stats::operator+=(const Stats& run) noexcept {
  links += run.links;
  calls += run.calls;
  for (std::size_t i = 0; i < kKinds; ++i) by_kind[i] += run.by_kind[i];
  for (std::size_t i = 0; i < kCodes; ++i) by_code[i] += run.by_code[i];
  attempts += run.attempts;
  messages += run.messages;
  bytes += run.bytes;
  frames += run.frames;
  losses += run.losses;
  closes += run.closes;
  drains += run.drains;
  lanes += run.lanes;
  stalls += run.stalls;
  steps += run.steps;
  most_memory = std::max(most_memory, run.most_memory);
  time += run.time;
  return *this;
}

void Stats::keep_least(const Stats& run) noexcept {
  links = std::min(links, run.links);
  calls = std::min(calls, run.calls);
  for (std::size_t i = 0; i < kKinds; ++i) by_kind[i] = std::min(by_kind[i], run.by_kind[i]);
  for (std::size_t i = 0; i < kCodes; ++i) by_code[i] = std::min(by_code[i], run.by_code[i]);
  attempts = std::min(attempts, run.attempts);
  messages = std::min(messages, run.messages);
  bytes = std::min(bytes, run.bytes);
  frames = std::min(frames, run.frames);
  losses = std::min(losses, run.losses);
  closes = std::min(closes, run.closes);
  drains = std::min(drains, run.drains);
  lanes = std::min(lanes, run.lanes);
  stalls = std::min(stalls, run.stalls);
  steps = std::min(steps, run.steps);
  time = std::min(time, run.time);
}

std::string to_text(const Stats& total, const Stats& least) {
  std::string text = fmt::format("{:<28}{:>16}{:>16}\n", "", "in all", "least of a seed");
  // The least may have no calls that ended in some way: it has the rows of the total.
  const auto lesser = rows(least);
  for (const auto& [name, value] : rows(total)) {
    const auto at = std::ranges::find(lesser, name, [](const auto& row) { return row.first; });
    text += fmt::format("{:<28}{:>16}{:>16}\n", name, value, at == lesser.end() ? 0 : at->second);
  }
  text += fmt::format("{:<28}{:>16}\n", "most bytes of one session", total.most_memory);
  return text;
}

void Counter::on_frame_sent(const Frame& frame) {
  ++stats_->frames;
  stats_->bytes += wire::FrameHeader::kSize + frame.header.length;
}

void Counter::on_call_started(const CallPlan& plan, TimePoint /*deadline*/) {
  ++stats_->calls;
  ++stats_->by_kind[static_cast<std::size_t>(plan.kind)];
}

void Counter::on_call_ended(const CallPlan& /*plan*/, const Status& status) {
  ++stats_->by_code[static_cast<std::size_t>(status.code())];
}

void Counter::on_attempt_started(const Attempt& /*attempt*/) { ++stats_->attempts; }

void Counter::on_item(const Attempt& /*attempt*/, Direction /*direction*/, const Payload& /*payload*/) {
  ++stats_->messages;
}

}  // namespace leat::sim
