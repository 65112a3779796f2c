// What every run is held to. A checker watches and, when its rule is broken, says so once; it never asks a
// session whether all is well.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "tests/sim/ledger.h"
#include "tests/sim/trace.h"

namespace leat::sim {

/// How late a thread may come round to what is due.
inline constexpr Duration kTick = std::chrono::milliseconds(1);

struct Failure {
  std::string checker;
  std::string what;
  Duration at{};
};

/// What checkers know, and where they report. The first failure stands; `only` makes it the first of that
/// checker (for canaries).
struct Bench {
  const Plan& plan;
  const Timeline& timeline;
  const Ledger& ledger;
  Trace& trace;
  std::string only;
  std::set<std::uint32_t> ended;  ///< calls
  std::optional<Failure> failure;
  std::vector<std::string_view> checkers;  ///< their names
};

class Checker : public Observer {
 public:
  Checker(Bench& bench, std::string_view name) : bench_(&bench), name_(name) {
    bench.checkers.push_back(name);
  }
  [[nodiscard]] std::string_view name() const noexcept { return name_; }

 protected:
  [[nodiscard]] const Bench& bench() const noexcept { return *bench_; }
  [[nodiscard]] TimePoint now() const noexcept { return bench_->timeline.now(); }
  template <class... Arguments>
  void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    report(fmt::format(format, std::forward<Arguments>(arguments)...));
  }

 private:
  void report(std::string what) {
    if (bench_->failure || (!bench_->only.empty() && bench_->only != name_)) return;
    LEAT_TRACE(bench_->trace, "FAILED {}: {}", name_, what);
    bench_->failure = Failure{std::string(name_), std::move(what), bench_->timeline.elapsed()};
  }

  Bench* bench_;
  std::string_view name_;
};

/// "link 3 connector" and "link 3 connector, stream 0x1a": who did it.
[[nodiscard]] std::string to_text(EndKey end);
[[nodiscard]] std::string to_text(const Flow& flow);

}  // namespace leat::sim
