// The second lane of a session, and frames that overtake each other because of it.
#include "core/session/session.h"

namespace leat::session {

using wire::Kind;

bool Session::second_lane_agreed() const noexcept {
  return options_.second_lane && (remote_.features & wire::kSecondLane) != 0;
}

void Session::want_lane() {
  if (lane_state_ != LaneState::kNone || !ready() || !second_lane_agreed()) return;
  lane_state_ = LaneState::kWanted;
  // What begins on lane 0 stays there, so what is first to ask for the lane waits a little for it.
  if (options_.lane_patience > Duration::zero()) {
    scheduler_.hold_bulk();
    lane_patience_ends_ = now_ + options_.lane_patience;
  }
  if (options_.acceptor) {
    control(Kind::kLaneWanted, {}, {});
  } else {
    emit(Event::Kind::kLaneWanted);
  }
}

bool Session::on_lane_wanted() {
  if (options_.acceptor) return violation("a lane wanted frame from the side that would open it");
  if (!second_lane_agreed()) return violation("a lane wanted frame, though a second lane was not agreed on");
  if (lane_state_ != LaneState::kNone) return count_useless();
  want_lane();
  return true;
}

Status Session::add_lane(TimePoint now) {
  now_ = now;
  if (!ready()) return {Code::kFailedPrecondition, "a second lane for a connection that is not open"};
  if (!second_lane_agreed()) {
    return {Code::kFailedPrecondition, "a second lane, though one of both sides takes none"};
  }
  if (lane_state_ != LaneState::kNone && lane_state_ != LaneState::kWanted) {
    return {Code::kFailedPrecondition,
            "a second lane for a connection that has, or had, one: a token "
            "attaches one connection, once"};
  }
  std::vector<std::byte> body;
  if (!options_.acceptor) wire::Attach{token_}.encode(body);
  scheduler_.add_to_bulk_lane(control_frame(options_.acceptor ? Kind::kAttached : Kind::kAttach, {}, body));
  lane_state_ = options_.acceptor ? LaneState::kAttached : LaneState::kAttaching;
  if (lane_attached()) use_lane();
  return {};
}

/// The first frame of a link: this session was made for nothing, the link belongs to another.
bool Session::on_attach(Bytes body) {
  const std::optional<wire::Attach> attach = wire::Attach::decode(body);
  if (!attach) return violation("its attach frame can't be read");
  state_ = State::kHandedOver;
  emit(Event::Kind::kAttach).token = attach->token;
  return true;
}

bool Session::on_attached() {
  lane_state_ = LaneState::kAttached;
  use_lane();
  return true;
}

void Session::use_lane() {
  lane_patience_ends_ = kNever;
  scheduler_.open_bulk_lane();
}

void Session::go_without_lane() {
  lane_patience_ends_ = kNever;
  scheduler_.release_bulk();
}

std::optional<std::string> Session::out_of_lane(const wire::FrameHeader& header) const {
  const std::string name = header.known_kind() ? std::string(wire::kind_name(header.kind)) : "unknown";
  switch (lane_state_) {
    case LaneState::kAttaching:
      if (header.kind == Kind::kAttached) return std::nullopt;
      return "the second lane began with something else than an attached frame: " + name;
    case LaneState::kAttached:
      if (header.channel == Channel::kBulk && header.kind != Kind::kAttached) return std::nullopt;
      return "a frame on the second lane that is not of the bulk channel: " + name;
    default: return "a frame on a second lane that this session does not have: " + name;
  }
}

Session::Absent Session::absent(wire::StreamId id) const noexcept {
  if (id.opened_by_acceptor() == options_.acceptor) {
    const std::uint64_t opened = next_sequence_[static_cast<std::size_t>(id.channel())];
    return id.sequence() <= opened ? Absent::kLate : Absent::kNeverOpened;
  }
  return remote_ids_.may_come(id) ? Absent::kEarly : Absent::kLate;
}

Session::Early* Session::early(wire::StreamId id, Kind kind) {
  switch (absent(id)) {
    case Absent::kLate: return nullptr;
    case Absent::kNeverOpened:
      violation("a " + std::string(wire::kind_name(kind)) + " frame for a stream that was never opened");
      return nullptr;
    case Absent::kEarly: break;
  }
  // Only what is opened on another lane can be overtaken; or lost with it, where the lane went before it was
  // known here to be attached: then the other side, which has begun to use it, is not to blame.
  const bool other_lane = lane_state_ != LaneState::kNone && lane_state_ != LaneState::kWanted;
  if (id.channel() != Channel::kBulk || !other_lane) {
    violation("a " + std::string(wire::kind_name(kind)) + " frame for a stream that was never opened");
    return nullptr;
  }
  if (early_.size() >= options_.max_early_frames && !early_.contains(id)) {
    violation("frames for more than max_early_frames (" + std::to_string(options_.max_early_frames) +
              ") streams that were not opened");
    return nullptr;
  }
  return &early_[id];
}

bool Session::late(wire::StreamId id, Kind kind) {
  if (absent(id) == Absent::kLate) return true;
  return violation("a " + std::string(wire::kind_name(kind)) + " frame for a stream that was never opened");
}

}  // namespace leat::session
