#include "tests/sim/route.h"

#include <algorithm>

namespace leat::sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array kSides = {Side::kConnector, Side::kAcceptor};
std::size_t index_of(Side side) { return static_cast<std::size_t>(side); }

}  // namespace

Route::Route(Stage stage, Random random, const Plan& plan, std::uint32_t index, Stats& stats, Told told)
    : stage_(stage),
      random_(random),
      plan_(&plan),
      route_(&plan.routes[index]),
      index_(index),
      stats_(&stats),
      told_(std::move(told)) {}

void Route::begin() {
  dial();
  plan_fault(route_->mean_between_losses, &Route::break_connection);
  plan_fault(route_->mean_between_stalls, &Route::stall);
}

void Route::dial() {
  if (closed_) return;
  const std::uint32_t number = told_.new_link();
  ++stats_->links;
  epochs_.push_back(std::make_unique<Epoch>());
  Epoch& epoch = current();
  epoch.links[0] = std::make_shared<Link>(stage_.timeline, random_.fork(number), route_->lanes[0]);
  epoch.options = {route_->connector_options, route_->acceptor_options};
  epoch.options[0].process_budget = told_.budget(route_->connector);
  epoch.options[1].process_budget = told_.budget(route_->acceptor);
  epoch.options[1].acceptor = true;
  for (std::uint8_t& byte : epoch.options[1].token) byte = static_cast<std::uint8_t>(random_.next());
  LEAT_TRACE(stage_.trace, "link {}: node {} connects to node {} on route {}", number, route_->connector,
             route_->acceptor, index_);
  for (const Side side : kSides) {
    EndInfo info;
    info.key = {number, side};
    info.node = side == Side::kConnector ? route_->connector : route_->acceptor;
    info.options = &epoch.options[index_of(side)];
    info.peer_options = &epoch.options[index_of(other(side))];
    info.links = &epoch.links;
    auto end =
        std::make_unique<End>(stage_, random_.fork(number + index_of(side)), info, told_.account(info.key));
    // Not one of an epoch that is over.
    Epoch* mine = &epoch;
    const auto if_current = [this, mine, side](void (Route::*what)(Side)) {
      return [this, mine, side, what] {
        if (mine == &current()) (this->*what)(side);
      };
    };
    epoch.boards[index_of(side)] = std::make_unique<Switchboard>(
        stage_, *plan_, std::move(end),
        Switchboard::Told{if_current(&Route::on_ready), if_current(&Route::on_lane_wanted),
                          if_current(&Route::on_closed)});
  }
  for (const auto& board : epoch.boards) board->begin();
  // Now and then it breaks before it has well begun.
  if (!calm_ && random_.chance(15)) {
    const Duration soon = 4 * route_->lanes[0].latency + milliseconds(1);
    stage_.timeline.after(random_.between(Duration::zero(), soon), [this, link = epoch.links[0]] {
      if (calm_) return;
      ++stats_->losses;
      link->lose();
    });
  }
}

Switchboard* Route::ready(Side side, std::function<void()> call) {
  Switchboard* board = current().boards[index_of(side)].get();
  if (!closed_ && board->end().takes_calls()) return board;
  waiting_[index_of(side)].push_back(std::move(call));
  return nullptr;
}

std::optional<Duration> Route::retry(const CallPlan& plan, const call::FailedAttempt& failed,
                                     const Status& status) {
  call::RetryBudget& budget = retry_budgets_[index_of(plan.caller)];
  budget.record(status);
  return call::decide_retry({}, budget, failed, status, stage_.timeline.now(), random_.fraction());
}

void Route::on_ready(Side side) {
  if (side == Side::kConnector) backoff_.reset();
  std::deque<std::function<void()>> waiting = std::exchange(waiting_[index_of(side)], {});
  for (const auto& call : waiting) call();
}

void Route::on_closed(Side side) {
  // The other side waits to be connected to.
  if (side != Side::kConnector || closed_) return;
  stage_.timeline.after(backoff_.next(random_.fraction()), [this] { dial(); });
}

// ---- the second lane

void Route::on_lane_wanted(Side /*side*/) {
  Epoch* epoch = &current();
  stage_.timeline.after(random_.skewed(microseconds(10), milliseconds(100)), [this, epoch] {
    if (epoch == &current() && !closed_) open_lane(*epoch);
  });
}

void Route::open_lane(Epoch& epoch) {
  End& connector = epoch.boards[0]->end();
  if (random_.chance(route_->lane_failures / 2)) {
    connector.give_up_lane();
    return;
  }
  const std::uint32_t number = told_.new_link();
  auto link = std::make_shared<Link>(stage_.timeline, random_.fork(number), route_->lanes[1]);
  LEAT_TRACE(stage_.trace, "link {} for lane 1 of link {}", number, connector.key().link);
  epoch.links[1] = link;
  session::Options options = route_->acceptor_options;
  options.acceptor = true;
  epoch.strangers.push_back(
      std::make_unique<Stranger>(stage_, options, link, told_.account({number, Side::kAcceptor}),
                                 [this, &epoch](const wire::Token& token) { on_attach(epoch, token); }));
  if (!connector.add_lane()) {
    link->close(Side::kConnector);
    return;
  }
  ++stats_->lanes;
  if (!calm_ && random_.chance(route_->lane_failures)) {
    const Duration soon = 4 * route_->lanes[1].latency + milliseconds(1);
    stage_.timeline.after(random_.between(Duration::zero(), soon), [this, link] {
      if (calm_) return;
      ++stats_->losses;
      link->lose();
    });
  }
}

/// A server looks among its connections for the one that gave out this token.
void Route::on_attach(Epoch& epoch, const wire::Token& token) {
  Epoch& now = current();
  const bool known = &now == &epoch && now.options[1].token == token;
  if (!known || !now.boards[1]->end().add_lane()) epoch.links[1]->close(Side::kAcceptor);
}

// ---- faults

void Route::plan_fault(Duration mean, void (Route::*fault)()) {
  if (mean == Duration::zero()) return;
  const Duration wait = random_.between(milliseconds(1), 2 * mean + milliseconds(1));
  stage_.timeline.after(wait, [this, mean, fault] {
    if (calm_ || closed_) return;
    (this->*fault)();
    plan_fault(mean, fault);
  });
}

void Route::break_connection() {
  const std::shared_ptr<Link>& link = current().links[random_.below(kLaneCount)];
  const std::uint64_t how = random_.below(100);
  End& end = current().boards[random_.below(2)]->end();
  if (how < 60 && link) {
    if (!link->broken()) ++stats_->losses;
    LEAT_TRACE(stage_.trace, "route {}: the connection breaks", index_);
    link->lose();
  } else if (how < 80) {
    ++stats_->closes;
    end.close(Code::kUnavailable, "going away");
  } else {
    ++stats_->drains;
    end.drain("going away");
  }
}

void Route::stall() {
  const Side from = random_.pick(kSides);
  const std::shared_ptr<Link>& link = current().links[random_.below(kLaneCount)];
  if (!link) return;
  const Duration length = random_.skewed(milliseconds(1), seconds(2));
  LEAT_TRACE(stage_.trace, "route {}: a lane from the {} stalls for {} us", index_,
             from == Side::kConnector ? "connector" : "acceptor", length.count() / 1000);
  ++stats_->stalls;
  link->stall(from, stage_.timeline.now() + length);
  current().boards[random_.below(2)]->end().ask_health();
}

void Route::close() {
  closed_ = true;
  current().boards[0]->end().close(Code::kUnavailable, "the run is over");
}

std::vector<Switchboard*> Route::boards() { return {current().boards[0].get(), current().boards[1].get()}; }

}  // namespace leat::sim
