#include "tests/sim/narrator.h"

#include "core/wire/call_frames.h"
#include "tests/sim/checker.h"

namespace leat::sim {
namespace {

std::string describe(const Frame& frame) {
  const wire::FrameHeader& header = frame.header;
  std::string text =
      fmt::format("lane {} {:<7} {:<8}", static_cast<int>(frame.lane), channel_name(header.channel),
                  header.known_kind() ? wire::kind_name(header.kind) : "?");
  if (header.stream.value != 0) text += fmt::format(" stream {:#x}", header.stream.value);
  if (header.kind == wire::Kind::kMessage) {
    text += fmt::format(" {} bytes{}{}{}", header.length, (header.flags & wire::kFirst) != 0 ? " first" : "",
                        (header.flags & wire::kLast) != 0 ? " last" : "",
                        (header.flags & wire::kEndStream) != 0 ? " end-stream" : "");
  } else if (header.kind == wire::Kind::kCredit) {
    if (const auto credit = wire::Credit::decode(frame.body)) text += fmt::format(" to {}", credit->limit);
  }
  return text;
}

std::string_view kind_name(CallKind kind) {
  constexpr std::array<std::string_view, 4> kNames = {"unary", "server stream", "client stream",
                                                      "bidirectional"};
  return kNames[static_cast<std::size_t>(kind)];
}

}  // namespace

void Narrator::on_frame_sent(const Frame& frame) {
  trace_->note(frame.from.link, frame.from.side, frame.header.kind, frame.header.stream.value,
               frame.header.length);
  LEAT_TRACE(*trace_, "{:<18} > {}", to_text(frame.from), describe(frame));
}

void Narrator::on_frame_arrived(const Frame& frame) {
  trace_->note(frame.from.link, frame.header.stream.value, frame.header.length);
  LEAT_TRACE(*trace_, "{:<18} < {}", to_text(frame.from.peer()), describe(frame));
}

void Narrator::on_call_started(const CallPlan& plan, TimePoint /*deadline*/) {
  trace_->note(plan.number);
  LEAT_TRACE(
      *trace_, "call {} starts: {}{} on route {}{}{}", plan.number, kind_name(plan.kind),
      plan.idempotent ? ", idempotent" : "", plan.route,
      plan.timeout ? fmt::format(", {} us", plan.timeout->count() / 1000) : "",
      plan.cancel_after ? fmt::format(", cancelled after {} us", plan.cancel_after->count() / 1000) : "");
}

void Narrator::on_call_ended(const CallPlan& plan, const Status& status) {
  trace_->note(plan.number, status.code());
  LEAT_TRACE(*trace_, "call {} ends: {}", plan.number, status.to_string().substr(0, 120));
}

void Narrator::on_attempt_started(const Attempt& attempt) {
  LEAT_TRACE(*trace_, "call {}.{} is {}", attempt.plan->number, attempt.number,
             to_text(Flow{attempt.end, attempt.stream}));
}

void Narrator::on_attempt_ended(const Attempt& attempt, const Status& status, const Metadata& /*trailing*/) {
  LEAT_TRACE(*trace_, "call {}.{} ends: {}", attempt.plan->number, attempt.number,
             status.to_string().substr(0, 120));
}

void Narrator::on_handler_started(const Attempt& attempt) {
  trace_->note(attempt.plan->number, attempt.number);
  LEAT_TRACE(*trace_, "call {}.{} runs at {}", attempt.plan->number, attempt.number, to_text(attempt.end));
}

void Narrator::on_handler_ended(const Attempt& attempt, const Status& status) {
  LEAT_TRACE(*trace_, "call {}.{} has run: {}", attempt.plan->number, attempt.number,
             status.to_string().substr(0, 120));
}

void Narrator::on_item(const Attempt& attempt, Direction direction, const Payload& payload) {
  trace_->note(attempt.plan->number, direction, payload.byte_size());
  LEAT_TRACE(*trace_, "call {}.{} is given a {} of {} bytes", attempt.plan->number, attempt.number,
             direction == Direction::kRequest ? "request" : "reply", payload.byte_size());
}

void Narrator::on_taken(const Flow& flow, std::uint64_t wire_bytes) {
  trace_->note(flow.stream.value, wire_bytes);
  LEAT_TRACE(*trace_, "{:<18} takes {} bytes of stream {:#x}", to_text(flow.writer.peer()), wire_bytes,
             flow.stream.value);
}

}  // namespace leat::sim
