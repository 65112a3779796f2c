// Large messages as they come in: who may be sent whole, who waits, who has taken too long.
#include <algorithm>

#include "core/base/canary.h"
#include "core/session/session.h"

namespace leat::session {

void Session::try_admit(Admission& line) {
  while (!line.empty()) {
    Stream& stream = *find(line.front());  // remove() takes those that are gone out of the line
    const std::uint64_t size = stream.assembly->size();
    if (!line.take(size, now_)) return;
    line.leave(stream.id);
    stream.charged.back().second = size;
    stream.assembly->admit(options_.allocate);
    stream.progress = now_;
    if (options_.assembly_timeout > Duration::zero()) {
      assembly_check_ = std::min(assembly_check_, now_ + options_.assembly_timeout);
    }
    if (canary::has(canary::Bug::kForgetGrant)) continue;
    grant(stream, stream.receive.admit(stream.charged.back().first));
  }
}

void Session::give_back(Stream& stream, std::uint64_t consumed) {
  Admission& line = admission(stream);
  while (!stream.charged.empty() && stream.charged.front().first <= consumed) {
    line.give_back(stream.charged.front().second);
    stream.charged.erase(stream.charged.begin());
  }
  try_admit(line);
}

void Session::give_up_admission(Stream& stream) {
  Admission& line = admission(stream);
  line.leave(stream.id);
  if (canary::has(canary::Bug::kLeakBudget)) stream.charged.clear();
  for (const auto& [end, bytes] : stream.charged) line.give_back(bytes);
  stream.charged.clear();
  stream.assembly.reset();
}

void Session::end_receiving(Stream& stream, const Status& status) {
  if (stream.local) {
    emit(Event::Kind::kEnded, &stream).status = status;
    cancel(stream.id, status.code(), status.message());
    return;
  }
  emit(Event::Kind::kCancelled, &stream).status = status;
  stop_reading(stream);
  give_up_admission(stream);
  try_admit(admission(stream));
  refuse(stream, status.message());
}

void Session::check_assemblies() {
  // A look at every stream, an eighth of the timeout after the last one at the earliest: bytes that arrive
  // need not move a timer, and a peer that lets many messages linger does not make us look all the time.
  TimePoint oldest = kNever;
  std::vector<wire::StreamId> stalled;
  streams_.for_each([&](std::uint64_t /*id*/, const std::unique_ptr<Stream>& stream) {
    if (!stream->assembly || !stream->assembly->admitted()) return;
    if (now_ - stream->progress >= options_.assembly_timeout) {
      stalled.push_back(stream->id);
    } else {
      oldest = std::min(oldest, stream->progress);
    }
  });
  assembly_check_ = kNever;
  if (oldest != kNever) {
    assembly_check_ = std::max(oldest + options_.assembly_timeout, now_ + options_.assembly_timeout / 8);
  }
  std::ranges::sort(stalled);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(options_.assembly_timeout).count();
  for (const wire::StreamId id : stalled) {
    Stream& stream = *find(id);
    end_receiving(stream, {Code::kResourceExhausted,
                           "nothing of a message arrived for assembly_timeout (" + std::to_string(ms) +
                               " ms) though it had credit: " + std::to_string(stream.assembly->received()) +
                               " of its " + std::to_string(stream.assembly->size()) + " bytes are here"});
  }
}

}  // namespace leat::session
