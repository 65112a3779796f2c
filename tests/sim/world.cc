#include "tests/sim/world.h"

#include <algorithm>
#include <map>

#include "tests/sim/check_calls.h"
#include "tests/sim/check_ends.h"
#include "tests/sim/check_wire.h"
#include "tests/sim/narrator.h"
#include "tests/sim/route.h"

namespace leat::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How often on_tick() is told.
constexpr Duration kTickEvery = milliseconds(20);
// After the last call has ended, everything that is still under way arrives in this time.
constexpr Duration kSettle = seconds(4);
// No seed takes that long, in simulated time or in events; if one does, something goes round in circles.
constexpr Duration kLongest = seconds(600);
constexpr std::uint64_t kMostSteps = 4'000'000;

class World {
 public:
  World(std::uint64_t seed, const RunOptions& options)
      : plan_(make_plan(seed)),
        trace_(timeline_, options.trace),
        bench_{plan_, timeline_, ledger_, trace_, options.only, {}, {}, {}} {
    for (Observer* observer : std::initializer_list<Observer*>{
             &ledger_, &narrator_, &counter_, &ends_once_, &items_in_order_, &runs_at_most_once_,
             &credit_kept_, &oldest_finishes_, &no_channel_starves_, &memory_bounded_, &ends_empty_}) {
      observers_.add(*observer);
    }
    for (std::uint32_t node = 0; node < plan_.nodes; ++node)
      budgets_.push_back(std::make_shared<session::ProcessBudget>(plan_.process_budget));
    Random random(mix(seed));
    for (std::uint32_t i = 0; i < plan_.routes.size(); ++i) {
      routes_.push_back(
          std::make_unique<Route>(stage_, random.fork(i), plan_, i, stats_,
                                  Route::Told{[this] { return ++links_; },
                                              [this](EndKey end) -> Account& { return open_account(end); },
                                              [this](std::uint32_t node) { return budgets_[node]; }}));
    }
  }

  Outcome run() {
    for (const auto& route : routes_) route->begin();
    timeline_.after(plan_.busy, [this] {
      LEAT_TRACE(trace_, "from now on nothing bad happens");
      for (const auto& route : routes_) route->calm();
    });
    start_calls(false);
    tick();
    if (run_until([this] { return calls_open_ == 0 && timeline_.elapsed() > plan_.busy; }) && settle()) {
      LEAT_TRACE(trace_, "all is quiet; probes");
      start_calls(true);
      run_until([this] { return calls_open_ == 0; }, seconds(60)) && settle();
      if (!failed()) check_idle();
    } else if (!failed()) {
      ends_once_.on_idle();  // names a call that did not end
    }
    if (!failed()) check_close();
    stats_.time = timeline_.elapsed();
    stats_.steps = timeline_.steps();
    stats_.most_memory = static_cast<std::uint64_t>(memory_bounded_.most());
    return {plan_.seed, bench_.failure, stats_, trace_.digest(), trace_.lines(), bench_.checkers};
  }

 private:
  [[nodiscard]] bool failed() const noexcept { return bench_.failure.has_value(); }

  Account& open_account(EndKey end) {
    Account& account = accounts_[end];
    memory_bounded_.watch(end, account);
    return account;
  }

  void start_calls(bool probes) {
    for (const CallPlan& plan : plan_.calls) {
      if (plan.probe != probes) continue;
      ++calls_open_;
      const auto caller =
          std::make_shared<Caller>(stage_, plan, *routes_[plan.route], [this, number = plan.number] {
            --calls_open_;
            bench_.ended.insert(number);
          });
      timeline_.after(plan.start, [caller] { caller->begin(); });
    }
  }

  void tick() {
    observers_.tell(&Observer::on_tick);
    timeline_.after(kTickEvery, [this] { tick(); });
  }

  /// False if a checker has failed, or it takes too long.
  template <class Done>
  bool run_until(Done done, Duration longest = kLongest) {
    const TimePoint end = timeline_.now() + longest;
    while (!failed() && !done()) {
      if (timeline_.now() > end || timeline_.steps() > kMostSteps) return false;
      if (!timeline_.step()) return false;
    }
    return !failed();
  }
  bool settle() {
    const TimePoint end = timeline_.now() + kSettle;
    return run_until([this, end] { return timeline_.now() >= end; });
  }

  void check_idle() {
    // Between two heartbeats.
    const auto asleep = [this] {
      return std::ranges::all_of(routes_, [](const auto& route) {
        return std::ranges::all_of(route->boards(), [](Switchboard* board) { return board->end().asleep(); });
      });
    };
    if (!run_until(asleep)) return;
    observers_.tell(&Observer::on_idle);
    for (const auto& route : routes_) {
      for (Switchboard* board : route->boards())
        ends_empty_.check(board->end().key(), board->end().leftovers(), board->users());
    }
  }

  void check_close() {
    for (const auto& route : routes_) route->close();
    if (!settle()) return;
    routes_.clear();
    for (std::uint32_t node = 0; node < plan_.nodes; ++node) ends_empty_.check_budget(node, *budgets_[node]);
    for (const auto& [end, account] : accounts_) ends_empty_.check_freed(end, account);
  }

  // Memory is counted to the end of everything else.
  std::map<EndKey, Account> accounts_;
  Plan plan_;
  std::vector<std::shared_ptr<session::ProcessBudget>> budgets_;  // by node
  Timeline timeline_;
  Trace trace_;
  Observers observers_;
  Stage stage_{timeline_, trace_, observers_};
  Stats stats_;

  Ledger ledger_;
  Bench bench_;
  Narrator narrator_{trace_};
  Counter counter_{stats_};
  EndsOnce ends_once_{bench_};
  ItemsInOrder items_in_order_{bench_};
  RunsAtMostOnce runs_at_most_once_{bench_};
  CreditKept credit_kept_{bench_};
  OldestFinishes oldest_finishes_{bench_};
  NoChannelStarves no_channel_starves_{bench_};
  MemoryBounded memory_bounded_{bench_};
  EndsEmpty ends_empty_{bench_};

  std::vector<std::unique_ptr<Route>> routes_;
  std::uint32_t links_ = 0;
  std::uint64_t calls_open_ = 0;
};

}  // namespace

Outcome run_seed(std::uint64_t seed, const RunOptions& options) { return World(seed, options).run(); }

}  // namespace leat::sim
