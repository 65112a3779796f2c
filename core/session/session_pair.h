// For tests: two sessions and the bytes between them, which the test moves.
#pragma once

#include <vector>

#include "core/session/session.h"

namespace leat::session {

struct Pair {
  explicit Pair(Options connector = {}, Options acceptor = {})
      : client(std::move(connector), now), server(with_acceptor(std::move(acceptor)), now) {}

  static Options with_acceptor(Options options) {
    options.acceptor = true;
    for (std::size_t i = 0; i < options.token.size(); ++i) options.token[i] = static_cast<std::uint8_t>(i);
    return options;
  }

  /// What one side has to say, at most about `budget` bytes.
  std::vector<std::byte> output(Session& from, std::size_t budget = 1U << 30U) const {
    std::vector<std::byte> bytes;
    while (bytes.size() < budget) {
      Batch batch;
      from.transmit(batch, budget - bytes.size(), now);
      if (batch.empty()) break;
      for (const Slice& slice : batch.slices())
        bytes.insert(bytes.end(), slice.bytes.begin(), slice.bytes.end());
    }
    return bytes;
  }

  /// Moves bytes, cut into pieces of `piece`, until both are silent.
  void run(std::size_t piece = 1U << 20U) {
    bool any = true;
    while (any) {
      any = move(client, server, piece);
      any = move(server, client, piece) || any;
    }
  }
  bool move(Session& from, Session& to, std::size_t piece = 1U << 20U) const {
    const std::vector<std::byte> bytes = output(from);
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      to.receive(Bytes(bytes).subspan(at, std::min(piece, bytes.size() - at)), now);
    }
    return !bytes.empty();
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
