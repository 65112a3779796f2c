// The bench of the conformance suite: a byte pattern that proves order and completeness, an end of a link
// that sends and checks it, and a loop that drives ends and listeners exactly as link.h asks of an owner.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <poll.h>
#include <random>
#include <string>
#include <vector>

#include "transport/link/link.h"

namespace leat::transport::conformance {

/// The byte at any position of an endless stream. Its period is a prime, so that no cut size hides a shift.
class Pattern {
 public:
  static constexpr std::size_t kPeriod = 65521;
  /// `size` bytes from `position` on.
  static void write(std::uint64_t position, std::span<std::byte> to);
  [[nodiscard]] static bool matches(std::uint64_t position, Bytes bytes);
};

/// Checks that the pattern arrives, byte for byte, through whichever way the link delivers.
class Collector final : public Receiver {
 public:
  explicit Collector(std::uint32_t seed) : random_(seed) {}
  Space prepare() override;
  void commit(std::size_t size) override;
  void deliver(Bytes bytes) override;

  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] bool intact() const noexcept { return intact_; }

 private:
  void take(Bytes bytes);

  std::mt19937 random_;
  std::vector<std::byte> body_;
  std::vector<std::byte> scratch_;
  std::uint64_t received_ = 0;
  bool intact_ = true;
};

/// One end of a link, with what it still has to send.
class End {
 public:
  explicit End(std::unique_ptr<Link> link, std::uint32_t seed = 1);

  /// `bytes` more of the pattern are to be sent, in cuts of any size up to `largest`.
  void queue(std::uint64_t bytes, std::size_t largest = 100'000);
  /// Sends and receives what can be now.
  void turn();
  /// Stops reading (turn() only sends) until told otherwise.
  void pause(bool paused) noexcept { paused_ = paused; }
  void close() { link_->close(); }
  void drop() { link_.reset(); }

  [[nodiscard]] Link& link() const noexcept { return *link_; }
  [[nodiscard]] bool has_link() const noexcept { return link_ != nullptr; }
  [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
  [[nodiscard]] std::uint64_t unsent() const noexcept { return to_send_ - sent_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return collector_.received(); }
  [[nodiscard]] bool intact() const noexcept { return collector_.intact(); }
  /// The failure that the link reported; ok while it lives.
  [[nodiscard]] const Status& loss() const noexcept { return loss_; }
  [[nodiscard]] bool paused() const noexcept { return paused_; }

 private:
  void flush();
  void drain();

  std::unique_ptr<Link> link_;
  Collector collector_;
  std::mt19937 random_;
  std::vector<std::byte> scratch_;
  std::uint64_t to_send_ = 0;
  std::uint64_t sent_ = 0;
  std::size_t largest_ = 1;
  bool cut_short_ = false;  // the last send() left something, which is offered again whatever the budget says
  bool paused_ = false;
  Status loss_;
};

/// Drives its ends and at most one listener on the calling thread.
class Loop final : public ListenerEvents {
 public:
  void listen(std::unique_ptr<Listener> listener) { listener_ = std::move(listener); }
  std::shared_ptr<End> add(std::unique_ptr<Link> link);
  void accepted(std::unique_ptr<Link> link) override;
  void ready(Link& link) override;

  [[nodiscard]] Listener& listener() const noexcept { return *listener_; }
  void drop_listener() noexcept { listener_.reset(); }
  /// The ends that the listener accepted, in order.
  [[nodiscard]] const std::vector<std::shared_ptr<End>>& accepted_ends() const noexcept { return accepted_; }

  /// One wait, of at most so long, and what follows from it.
  void turn(int timeout_ms = 5);
  /// Turns until `done`; false if that takes longer than any sane machine does.
  bool run_until(const std::function<bool()>& done);

 private:
  std::unique_ptr<Listener> listener_;
  std::vector<std::shared_ptr<End>> ends_;
  std::vector<std::shared_ptr<End>> accepted_;
  std::vector<Link*> ready_;
};

}  // namespace leat::transport::conformance
