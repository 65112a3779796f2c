// A peer that sends what costs it little and this side much.
#include "core/session/session.h"

namespace leat::session {

bool Session::count_useless() {
  if (useless_.take(now_)) return true;
  close(Code::kResourceExhausted,
        "more than max_useless_frames_per_second (" + std::to_string(options_.max_useless_frames) +
            ") frames that carry nothing: pings, answers to no ping, credit that allows no more, cancels of "
            "calls that are over, unknown frames, pieces of a few bytes");
  return false;
}

bool Session::count_cancel() {
  if (cancels_.take(now_)) return true;
  close(Code::kResourceExhausted, "more than max_cancels_per_second (" +
                                      std::to_string(options_.max_cancels) +
                                      ") calls were opened and given up");
  return false;
}

bool Session::answers_fit() {
  if (closed()) return false;
  if (scheduler_.answer_bytes() <= options_.max_control_bytes) return true;
  scheduler_.drop_answers();  // so that the goodbye stands before what nobody reads
  close(Code::kResourceExhausted,
        "the other side asks (pings, calls over a limit, health) and does not read the answers: more than "
        "max_control_bytes (" +
            std::to_string(options_.max_control_bytes) + ") of them wait");
  return false;
}

}  // namespace leat::session
