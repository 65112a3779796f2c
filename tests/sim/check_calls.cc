#include "tests/sim/check_calls.h"

#include <algorithm>

namespace leat::sim {
namespace {

std::pair<std::uint32_t, std::uint32_t> key(const Attempt& attempt) {
  return {attempt.plan->number, attempt.number};
}

std::size_t expected_replies(const CallPlan& plan) {
  return plan.early ? std::min<std::size_t>(*plan.early, plan.replies.sizes.size())
                    : plan.replies.sizes.size();
}

}  // namespace

std::string to_text(EndKey end) {
  return fmt::format("link {} {}", end.link, end.side == Side::kConnector ? "connector" : "acceptor");
}

std::string to_text(const Flow& flow) {
  return fmt::format("{}, stream {:#x}", to_text(flow.writer), flow.stream.value);
}

// ---- EndsOnce

void EndsOnce::on_call_started(const CallPlan& plan, TimePoint deadline) {
  calls_[plan.number].deadline = deadline;
}

void EndsOnce::on_call_ended(const CallPlan& plan, const Status& status) {
  Call& call = calls_[plan.number];
  if (call.ended) fail("call {} ended a second time, as {}", plan.number, code_name(status.code()));
  call.ended = true;
  if (call.deadline != kNever && now() > call.deadline + kTick)
    fail("call {} ended {} ns after its deadline", plan.number, (now() - call.deadline).count());
}

void EndsOnce::on_attempt_started(const Attempt& attempt) {
  attempts_[key(attempt)].deadline = attempt.deadline;
}

void EndsOnce::on_attempt_ended(const Attempt& attempt, const Status& status, const Metadata& trailing) {
  Try& one = attempts_[key(attempt)];
  if (one.ended)
    fail("attempt {} of call {} ended a second time, as {}", attempt.number, attempt.plan->number,
         code_name(status.code()));
  one.ended = true;
  check_status(attempt, status, trailing);
}

EndsOnce::Given EndsOnce::copy_of(const Status& status) {
  return {status.code(), status.message(), status.remote_traceback()};
}

void EndsOnce::check_status(const Attempt& attempt, const Status& status, const Metadata& trailing) {
  const CallPlan& plan = *attempt.plan;
  const auto given = given_.find(key(attempt));
  const bool by_handler = given != given_.end() && given->second == copy_of(status);
  bool good = by_handler;
  switch (status.code()) {
    case Code::kDeadlineExceeded: good = good || now() >= attempt.deadline; break;
    case Code::kCancelled: good = good || plan.cancel_after.has_value(); break;
    case Code::kUnavailable:  // on_idle() sees that the connection was lost
      good = good || status.not_started() || status.outcome_unknown();
      if (status.outcome_unknown()) lost_.push_back(attempt);
      break;
    case Code::kResourceExhausted: good = good || status.not_started() || may_exhaust(plan); break;
    default: break;
  }
  if (!good)
    fail("call {} ended as {}, which nobody said: {}", plan.number, code_name(status.code()),
         status.message());
  if (by_handler && !status.ok() && status.code() == plan.result.code() && trailing != plan.trailing)
    fail("call {} ended with other trailing metadata than its handler gave", plan.number);
}

bool EndsOnce::may_exhaust(const CallPlan& plan) const {
  const RoutePlan& route = bench().plan.routes[plan.route];
  const auto above = [](const WriterPlan& writer, const session::Options& options) {
    return std::ranges::any_of(writer.sizes, [&options](std::uint64_t size) {
      return size > options.max_message || size > options.assembly_bytes;
    });
  };
  const bool by_connector = plan.caller == Side::kConnector;
  return above(plan.requests, by_connector ? route.acceptor_options : route.connector_options) ||
         above(plan.replies, by_connector ? route.connector_options : route.acceptor_options);
}

void EndsOnce::on_handler_started(const Attempt& attempt) {
  handlers_[key(attempt)].deadline = attempt.deadline;
}

void EndsOnce::on_handler_ended(const Attempt& attempt, const Status& status) {
  Try& one = handlers_[key(attempt)];
  if (one.ended) fail("the handler of call {} was ended a second time", attempt.plan->number);
  one.ended = true;
  given_[key(attempt)] = copy_of(status);
}

void EndsOnce::on_stray(EndKey at, const session::Event& event) {
  fail("{} was told of stream {:#x} (event {}), which it does not have", to_text(at), event.stream.value,
       static_cast<int>(event.kind));
}

void EndsOnce::on_tick() {
  for (const auto& [number, call] : calls_) {
    if (!call.ended && call.deadline != kNever && now() > call.deadline + kTick)
      fail("call {} has not ended, {} ns after its deadline", number, (now() - call.deadline).count());
  }
  for (const auto& [which, handler] : handlers_) {
    if (!handler.ended && handler.deadline != kNever && now() > handler.deadline + kTick)
      fail("the handler of call {} was not told that its deadline has passed", which.first);
  }
}

void EndsOnce::on_idle() {
  for (const CallPlan& plan : bench().plan.calls) {
    if (!calls_[plan.number].ended) fail("call {} never ended", plan.number);
  }
  for (const Attempt& attempt : lost_) {
    if (!closed_.contains(attempt.end))
      fail("call {} ended as unavailable, but its connection is there", attempt.plan->number);
  }
  for (const auto& [which, one] : attempts_) {
    if (!one.ended) fail("attempt {} of call {} never ended", which.second, which.first);
  }
  for (const auto& [which, one] : handlers_) {
    if (!one.ended) fail("the handler of call {} was never told of its end", which.first);
  }
}

// ---- ItemsInOrder

void ItemsInOrder::on_item(const Attempt& attempt, Direction direction, const Payload& payload) {
  const CallPlan& plan = *attempt.plan;
  Seen& seen = seen_[{plan.number, attempt.number, direction}];
  const WriterPlan& writer = direction == Direction::kRequest ? plan.requests : plan.replies;
  const char* what = direction == Direction::kRequest ? "request" : "reply";
  const std::uint32_t index = seen.items++;
  if (index >= writer.sizes.size()) {
    fail("call {} was given {} {} of {}", plan.number, what, index + 1, writer.sizes.size());
    return;
  }
  if (auto wrong = wrong_with(payload, {plan.number, direction, index}, writer.sizes[index]))
    fail("call {}, {} {}: {}", plan.number, what, index, *wrong);
  if (direction == Direction::kReply && !plan.initial.empty() && !seen.headers)
    fail("call {} was given a reply before its initial metadata", plan.number);
}

void ItemsInOrder::on_headers(const Attempt& attempt, const Metadata& metadata) {
  Seen& seen = seen_[{attempt.plan->number, attempt.number, Direction::kReply}];
  if (seen.headers) fail("call {} was given its initial metadata twice", attempt.plan->number);
  seen.headers = true;
  if (metadata != attempt.plan->initial)
    fail("call {} was given other initial metadata than was sent", attempt.plan->number);
}

void ItemsInOrder::on_attempt_ended(const Attempt& attempt, const Status& status,
                                    const Metadata& /*trailing*/) {
  const CallPlan& plan = *attempt.plan;
  if (!status.ok()) return;
  const Seen& replies = seen_[{plan.number, attempt.number, Direction::kReply}];
  if (replies.items != expected_replies(plan))
    fail("call {} ended well after {} replies of {}", plan.number, replies.items, expected_replies(plan));
  const Seen& requests = seen_[{plan.number, attempt.number, Direction::kRequest}];
  if (!plan.early && requests.items != plan.requests.sizes.size())
    fail("call {} ended well, but its handler was given {} requests of {}", plan.number, requests.items,
         plan.requests.sizes.size());
}

// ---- RunsAtMostOnce

void RunsAtMostOnce::on_attempt_ended(const Attempt& attempt, const Status& status,
                                      const Metadata& /*trailing*/) {
  if (!status.not_started()) return;
  not_started_.insert(key(attempt));
  if (started_.contains(key(attempt)))
    fail("attempt {} of call {} has run and is said not to have started", attempt.number,
         attempt.plan->number);
}

void RunsAtMostOnce::on_handler_started(const Attempt& attempt) {
  started_.insert(key(attempt));
  if (not_started_.contains(key(attempt)))
    fail("attempt {} of call {} runs after it was said not to have started", attempt.number,
         attempt.plan->number);
  const std::uint32_t runs = ++runs_[attempt.plan->number];
  if (runs > 1 && !attempt.plan->idempotent)
    fail("call {}, which is not idempotent, runs for the {}. time (attempt {})", attempt.plan->number, runs,
         attempt.number);
}

}  // namespace leat::sim
