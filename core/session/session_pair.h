// For tests: two sessions and the bytes between them, which the test moves.
#pragma once

#include <vector>

#include "core/session/session.h"

namespace leat::session {

struct Pair {
  /// Bulk does not wait for a second lane here unless `lane_patience` says so: most tests never add one.
  explicit Pair(Options connector = {}, Options acceptor = {}, Duration lane_patience = Duration::zero())
      : client(patient(std::move(connector), lane_patience), now),
        server(with_acceptor(patient(std::move(acceptor), lane_patience)), now) {}

  static Options patient(Options options, Duration lane_patience) {
    options.lane_patience = lane_patience;
    return options;
  }

  static Options with_acceptor(Options options) {
    options.acceptor = true;
    for (std::size_t i = 0; i < options.token.size(); ++i) options.token[i] = static_cast<std::uint8_t>(i);
    return options;
  }

  /// What one side has to say on a lane, at most about `budget` bytes.
  std::vector<std::byte> output(Session& from, std::size_t budget = 1U << 30U,
                                Lane lane = Lane::kMain) const {
    std::vector<std::byte> bytes;
    while (bytes.size() < budget) {
      Batch batch;
      from.transmit(lane, batch, budget - bytes.size(), now);
      if (batch.empty()) break;
      for (const Slice& slice : batch.slices())
        bytes.insert(bytes.end(), slice.bytes.begin(), slice.bytes.end());
    }
    return bytes;
  }

  /// Moves bytes, cut into pieces of `piece`, on both lanes until both are silent.
  void run(std::size_t piece = 1U << 20U) {
    bool any = true;
    while (any) {
      any = false;
      for (const Lane lane : {Lane::kMain, Lane::kBulk}) {
        any = move(client, server, piece, lane) || any;
        any = move(server, client, piece, lane) || any;
      }
    }
  }
  bool move(Session& from, Session& to, std::size_t piece = 1U << 20U, Lane lane = Lane::kMain) const {
    const std::vector<std::byte> bytes = output(from, 1U << 30U, lane);
    give(to, bytes, lane, piece);
    return !bytes.empty();
  }
  void give(Session& to, Bytes bytes, Lane lane = Lane::kMain, std::size_t piece = 1U << 20U) const {
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      to.receive(lane, bytes.subspan(at, std::min(piece, bytes.size() - at)), now);
    }
  }

  /// Opens the second lane, as the owners of the two would. The connector must want it already.
  void attach() {
    static_cast<void>(client.add_lane(now));
    Session stranger(with_acceptor({}), now);
    give(stranger, output(client, 1U << 30U, Lane::kBulk));
    for (const Event& event : events(stranger)) {
      if (event.kind == Event::Kind::kAttach && event.token == with_acceptor({}).token) {
        static_cast<void>(server.add_lane(now));
      }
    }
    give(client, output(server, 1U << 30U, Lane::kBulk), Lane::kBulk);
  }

  static std::vector<Event> events(Session& session) {
    std::vector<Event> all;
    while (std::optional<Event> event = session.next_event()) all.push_back(std::move(*event));
    return all;
  }

  TimePoint now = TimePoint() + std::chrono::hours(1);
  Session client;
  Session server;
};

}  // namespace leat::session
