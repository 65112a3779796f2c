// The way between two nodes: one connection at a time, made anew when it is lost, and what happens to it.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "tests/sim/caller.h"
#include "tests/sim/stats.h"
#include "tests/sim/stranger.h"
#include "tests/sim/switchboard.h"

namespace leat::sim {

class Route final : public Connector {
 public:
  struct Told {
    /// A fresh number for a connection.
    std::function<std::uint32_t()> new_link;
    std::function<Account&(EndKey)> account;
    /// What all sessions of a node may spend on messages together.
    std::function<std::shared_ptr<session::ProcessBudget>(std::uint32_t)> budget;
  };
  Route(Stage stage, Random random, const Plan& plan, std::uint32_t index, Stats& stats, Told told);

  void begin();
  /// From now on nothing bad happens.
  void calm() noexcept { calm_ = true; }
  /// Closes the connection and makes no other.
  void close();

  std::optional<Duration> retry(const CallPlan& plan, const call::FailedAttempt& failed,
                                const Status& status) override;
  Switchboard* ready(Side side, std::function<void()> call) override;
  /// The ends that are connected; tells both.
  [[nodiscard]] std::vector<Switchboard*> boards();

 private:
  /// One connection.
  struct Epoch {
    std::array<std::shared_ptr<Link>, kLaneCount> links;
    std::array<session::Options, 2> options;
    std::array<std::unique_ptr<Switchboard>, 2> boards;
    std::vector<std::unique_ptr<Stranger>> strangers;
  };
  void dial();
  void on_ready(Side side);
  void on_closed(Side side);
  void on_lane_wanted(Side side);
  void open_lane(Epoch& epoch);
  void on_attach(Epoch& epoch, const wire::Token& token);
  void plan_fault(Duration mean, void (Route::*fault)());
  void break_connection();
  void stall();
  [[nodiscard]] Epoch& current() noexcept { return *epochs_.back(); }

  Stage stage_;
  Random random_;
  const Plan* plan_;
  const RoutePlan* route_;
  std::uint32_t index_;
  Stats* stats_;
  Told told_;
  std::vector<std::unique_ptr<Epoch>> epochs_;
  std::array<std::deque<std::function<void()>>, 2> waiting_;
  std::array<call::RetryBudget, 2> retry_budgets_;
  call::Backoff backoff_;
  bool calm_ = false;
  bool closed_ = false;
};

}  // namespace leat::sim
