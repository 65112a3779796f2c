#include "core/session/admission.h"

#include "core/base/canary.h"

namespace leat::session {

std::optional<std::string> Admission::impossible(std::uint64_t bytes) const {
  const auto over = [bytes](const char* knob, std::uint64_t limit) {
    return "a message of " + std::to_string(bytes) + " bytes is over " + knob + " (" + std::to_string(limit) +
           ") of the side that receives it";
  };
  if (bytes > total_) return over("assembly_bytes", total_);
  if (process_ && bytes > process_->total()) return over("process_assembly_bytes", process_->total());
  return std::nullopt;
}

void Admission::leave(wire::StreamId stream) noexcept {
  if (line_.empty()) return;
  if (line_.front() != stream) {
    std::erase(line_, stream);
    return;
  }
  line_.pop_front();
  waiting_since_ = kNever;
  retry_at_ = kNever;
}

bool Admission::take(std::uint64_t bytes, TimePoint now) noexcept {
  retry_at_ = kNever;
  if (bytes > total_ - used_ && !canary::has(canary::Bug::kIgnoreBudget)) return false;
  if (process_ && !canary::has(canary::Bug::kIgnoreBudget)) {
    if (waiting_since_ == kNever) waiting_since_ = now;
    if (!process_->try_take(share_, bytes, waiting_since_, now)) {
      retry_at_ = now + ProcessBudget::kRetryInterval;
      return false;
    }
  }
  used_ += bytes;
  return true;
}

void Admission::give_back(std::uint64_t bytes) noexcept {
  used_ -= bytes;
  if (process_ && !canary::has(canary::Bug::kIgnoreBudget)) process_->give_back(share_, bytes);
}

void Admission::clear() noexcept {
  line_.clear();
  retry_at_ = kNever;
  waiting_since_ = kNever;
  give_back(used_);
}

}  // namespace leat::session
