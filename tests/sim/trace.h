// What happened, line by line, and a digest of it.
//
// Most runs print nothing, so a line is put together only if somebody wants it: LEAT_TRACE's arguments are
// not looked at otherwise. A failing seed is run again with its lines kept. The digest is always made, from
// the numbers of every event, and shows that a run was the same as another.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "tests/sim/random.h"
#include "tests/sim/timeline.h"

namespace leat::sim {

enum class TraceMode : std::uint8_t {
  kOff,
  kKeep,   ///< the last lines, for a report
  kPrint,  ///< all of them, at once
};

class Trace {
 public:
  Trace(const Timeline& timeline, TraceMode mode) : timeline_(&timeline), mode_(mode) {}

  [[nodiscard]] bool on() const noexcept { return mode_ != TraceMode::kOff; }

  template <class... Arguments>
  void line(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    add(fmt::format(format, std::forward<Arguments>(arguments)...));
  }
  /// Takes the numbers of an event into the digest.
  template <class... Numbers>
  void note(Numbers... numbers) noexcept {
    digest_ = mix(digest_ ^ static_cast<std::uint64_t>(timeline_->now().time_since_epoch().count()));
    ((digest_ = mix(digest_ ^ static_cast<std::uint64_t>(numbers))), ...);
  }

  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }
  [[nodiscard]] const std::deque<std::string>& lines() const noexcept { return lines_; }

 private:
  void add(std::string text);

  const Timeline* timeline_;
  TraceMode mode_;
  std::uint64_t digest_ = 0;
  std::deque<std::string> lines_;
};

#define LEAT_TRACE(trace, ...)                   \
  do {                                           \
    if ((trace).on()) (trace).line(__VA_ARGS__); \
  } while (false)

}  // namespace leat::sim
