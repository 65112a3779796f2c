#include "tests/sim/check_ends.h"

#include <algorithm>

namespace leat::sim {
namespace {

// core/session: what a stream may queue before its writer is asked to wait.
constexpr std::uint64_t kQueueHigh = 64U << 10U;
// A session without streams: what it reads into and writes from, on each lane, and a prologue.
constexpr std::uint64_t kSessionBase = 512U << 10U;
// A stream without messages: its entry, queues of items that refer to memory which is not the session's,
// metadata.
constexpr std::uint64_t kStreamBase = 8U << 10U;
// Streams that a session has and its application was not told of yet, or that wait for their last frame to
// go.
constexpr std::uint64_t kUnheard = 8;

}  // namespace

void MemoryBounded::on_queued(const Flow& flow, std::uint64_t /*prologue*/, std::uint64_t /*size*/) {
  written_[flow.writer].insert(flow.stream);
}

/// Once the writer has heard what its session had to tell: until then it may write to a stream that is gone.
void MemoryBounded::check_queues(EndKey end) {
  const auto written = written_.extract(end);
  if (written.empty()) return;
  for (const wire::StreamId stream : written.mapped()) {
    const FlowState* state = bench().ledger.find({end, stream});
    if (state == nullptr || state->dropped || state->writer_gone) continue;
    // The message that fills the queue is accepted whole.
    const std::uint64_t queued = state->queued - std::min(state->queued, state->sent);
    if (queued > kQueueHigh + 2 * state->largest)
      fail("{}: {} bytes are queued, its largest message has {}", to_text(Flow{end, stream}), queued,
           state->largest);
  }
}

void MemoryBounded::on_pumped(EndKey end) {
  check_queues(end);
  const auto account = accounts_.find(end);
  const EndInfo* info = bench().ledger.end(end);
  if (account == accounts_.end() || info == nullptr) return;
  const std::int64_t used = account->second->bytes;
  most_ = std::max(most_, used);
  const session::Options& options = *info->options;
  const std::uint64_t streams = bench().ledger.open_streams(end);
  // Messages that are assembled have their memory from the beginning; the others as they come in, and they
  // are bounded by the windows.
  const std::uint64_t windows = options.stream_windows_bytes + (streams + kUnheard) * options.stream_window;
  const std::uint64_t bound = kSessionBase + (streams + kUnheard) * kStreamBase + 2 * options.assembly_bytes +
                              std::min(bench().ledger.untaken(end), windows);
  if (used > static_cast<std::int64_t>(bound))
    fail("{} uses {} bytes with {} streams open and {} bytes that were not taken; at most {} are allowed",
         to_text(end), used, streams, bench().ledger.untaken(end), bound);
}

void EndsEmpty::check(EndKey end, const std::string& leftovers, std::size_t users) {
  if (!leftovers.empty()) fail("{} is idle and has {}", to_text(end), leftovers);
  if (users != 0) fail("{} is idle and {} of its streams were never ended", to_text(end), users);
}

void EndsEmpty::check_freed(EndKey end, const Account& account) {
  if (account.bytes != 0) fail("{} is gone and {} bytes of its memory are not", to_text(end), account.bytes);
}

void EndsEmpty::check_budget(std::uint32_t node, const session::ProcessBudget& budget) {
  for (const auto share : {session::Share::kRequests, session::Share::kReplies}) {
    if (budget.used(share) != 0)
      fail("node {} is idle and {} bytes of its budget for {} are taken", node, budget.used(share),
           share == session::Share::kRequests ? "requests" : "replies");
  }
}

void EndsEmpty::on_idle() {
  for (const auto& [flow, state] : bench().ledger.flows()) {
    if (!state.writer_gone && !state.reader_gone && !state.ended)
      fail("{} is idle and was not ended", to_text(flow));
    if (!state.writer_gone && !state.dropped && state.queued != state.sent)
      fail("{}: {} bytes were queued and {} sent", to_text(flow), state.queued, state.sent);
  }
}

}  // namespace leat::sim
