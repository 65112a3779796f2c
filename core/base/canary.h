// Bugs planted on purpose, to show that the simulation's checkers catch them (tests/sim/canary_main.cc). In
// any other build has() is a constant false and nothing is left of them.
#pragma once

#include <cstdint>

namespace leat::canary {

enum class Bug : std::uint8_t {
  kNone,
  kEndTwice,             ///< a stream's end is told a second time
  kForgetDeadlines,      ///< nobody is woken for a deadline
  kDropItem,             ///< now and then a message is lost inside a session
  kSwapItems,            ///< now and then a message overtakes the one before it
  kIgnoreCredit,         ///< a writer takes no notice of its stream's credit
  kIgnoreChannelCredit,  ///< nor of the channel's
  kLeakChannelCredit,    ///< what arrives for streams that are gone is not counted
  kLeakBudget,           ///< a cancelled message keeps its share of the budget
  kForgetGrant,          ///< a message is admitted and its writer is not told
  kNeverFull,            ///< no writer is asked to wait
  kIgnoreBudget,         ///< every message is admitted at once
  kStarveBulk,           ///< bulk waits for as long as others have something to send
  kRetryAnything,        ///< also what is not idempotent
  kSayNotStarted,        ///< of every call whose connection is lost
  kKeepStream,           ///< now and then the entry of a stream stays
};

#ifdef LEAT_CANARY
/// Of this thread's sessions.
inline thread_local Bug planted = Bug::kNone;
[[nodiscard]] inline bool has(Bug bug) noexcept { return planted == bug; }
#else
[[nodiscard]] constexpr bool has(Bug /*bug*/) noexcept { return false; }
#endif

}  // namespace leat::canary
