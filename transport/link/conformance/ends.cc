#include "transport/link/conformance/ends.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

namespace leat::transport::conformance {
namespace {

// Bounds a test that hangs; no test passes or fails by being faster.
constexpr auto kPatience = std::chrono::seconds(30);
constexpr int kStepMs = 100;
constexpr std::size_t kReceiveLimit = 256 * 1024;

const std::array<std::byte, 2 * Pattern::kPeriod>& pattern() {
  static const auto kBytes = [] {
    std::array<std::byte, 2 * Pattern::kPeriod> made{};
    std::uint32_t state = 12345;
    for (std::size_t i = 0; i < Pattern::kPeriod; ++i) {
      state = state * 1664525 + 1013904223;
      made[i] = made[i + Pattern::kPeriod] = static_cast<std::byte>(state >> 24);
    }
    return made;
  }();
  return kBytes;
}

std::size_t between(std::mt19937& random, std::size_t low, std::size_t high) {
  return std::uniform_int_distribution<std::size_t>(low, high)(random);
}

}  // namespace

void Pattern::write(std::uint64_t position, std::span<std::byte> to) {
  while (!to.empty()) {
    const std::size_t size = std::min(to.size(), kPeriod);
    std::memcpy(to.data(), pattern().data() + position % kPeriod, size);
    to = to.subspan(size);
    position += size;
  }
}

bool Pattern::matches(std::uint64_t position, Bytes bytes) {
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kPeriod);
    if (std::memcmp(bytes.data(), pattern().data() + position % kPeriod, size) != 0) return false;
    bytes = bytes.subspan(size);
    position += size;
  }
  return true;
}

Receiver::Space Collector::prepare() {
  body_.resize(between(random_, 0, 3) == 0 ? 0 : between(random_, 0, 200'000));
  scratch_.resize(between(random_, 1, 70'000));
  return {body_, scratch_};
}

void Collector::commit(std::size_t size) {
  const std::size_t in_body = std::min(size, body_.size());
  take(Bytes(body_).first(in_body));
  take(Bytes(scratch_).first(size - in_body));
}

void Collector::deliver(Bytes bytes) { take(bytes); }

void Collector::take(Bytes bytes) {
  intact_ = intact_ && Pattern::matches(received_, bytes);
  received_ += bytes.size();
}

End::End(std::unique_ptr<Link> link, std::uint32_t seed)
    : link_(std::move(link)), collector_(seed), random_(seed) {}

void End::queue(std::uint64_t bytes, std::size_t largest) {
  to_send_ += bytes;
  largest_ = largest;
}

void End::turn() {
  if (!link_) return;
  flush();
  if (!paused_) drain();
  flush();
}

void End::flush() {
  while (loss_.ok() && sent_ < to_send_ && (cut_short_ || link_->send_budget() > 0)) {
    // A batch of pieces: small ones in scratch memory, as frame headers are, and larger ones with an owner.
    std::vector<Slice> slices(between(random_, 1, 8));
    std::vector<std::size_t> sizes;
    std::uint64_t position = sent_;
    std::size_t in_scratch = 0;
    for (Slice& slice : slices) {
      const bool small = between(random_, 0, 1) == 0;
      const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(
          between(random_, 0, small ? std::min<std::size_t>(largest_, 300) : largest_), to_send_ - position));
      if (!small) {
        slice.owner = Buffer::allocate(size);
        Pattern::write(position, slice.owner.writable());
        slice.bytes = slice.owner.bytes();
      } else {
        in_scratch += size;
      }
      sizes.push_back(size);
      position += size;
    }
    scratch_.resize(in_scratch);
    std::size_t at = 0;
    position = sent_;
    for (std::size_t i = 0; i < slices.size(); ++i) {
      if (slices[i].owner.data() == nullptr) {
        const std::span<std::byte> piece = std::span(scratch_).subspan(at, sizes[i]);
        Pattern::write(position, piece);
        slices[i].bytes = piece;
        at += sizes[i];
      }
      position += sizes[i];
    }
    const auto taken = link_->send(slices);
    // A link that sends later must have copied what has no owner.
    std::ranges::fill(scratch_, std::byte{0xEE});
    if (!taken) {
      loss_ = taken.error();
      return;
    }
    sent_ += *taken;
    cut_short_ = sent_ < position;
    if (cut_short_) return;
  }
}

void End::drain() {
  while (loss_.ok()) {
    const auto got = link_->receive(collector_, kReceiveLimit);
    if (!got) {
      loss_ = got.error();
      return;
    }
    if (*got < kReceiveLimit) return;
  }
}

std::shared_ptr<End> Loop::add(std::unique_ptr<Link> link) {
  ends_.push_back(std::make_shared<End>(std::move(link), static_cast<std::uint32_t>(ends_.size() + 1)));
  return ends_.back();
}

void Loop::accepted(std::unique_ptr<Link> link) { accepted_.push_back(add(std::move(link))); }

void Loop::ready(Link& link) { ready_.push_back(&link); }

void Loop::turn(int timeout_ms) {
  std::vector<pollfd> entries;
  std::vector<std::shared_ptr<End>> waiting;  // beside entries, from the second on if there is a listener
  std::vector<std::shared_ptr<End>> active;
  bool serve = false;
  if (listener_) {
    entries.push_back({listener_->descriptor(), POLLIN, 0});
    serve = listener_->pending();
  }
  for (const auto& end : ends_) {
    if (!end->has_link() || !end->loss().ok()) continue;
    Link& link = end->link();
    const bool may_send = end->unsent() > 0 && link.send_budget() > 0;
    if ((!end->paused() && link.pending()) || may_send) active.push_back(end);
    if (link.descriptor() < 0) continue;
    int events = end->paused() ? 0 : POLLIN;
    if (link.wants_write()) events |= POLLOUT;
    entries.push_back({link.descriptor(), static_cast<short>(events), 0});
    waiting.push_back(end);
  }
  const int ready = poll(entries.data(), entries.size(), serve || !active.empty() ? 0 : timeout_ms);
  std::size_t at = 0;
  if (listener_) serve = serve || entries[at++].revents != 0;
  for (std::size_t i = 0; ready > 0 && i < waiting.size(); ++i) {
    if (entries[at + i].revents != 0) active.push_back(waiting[i]);
  }
  if (serve) listener_->service(*this);
  for (Link* link : std::exchange(ready_, {})) {
    for (const auto& end : ends_) {
      if (end->has_link() && &end->link() == link) active.push_back(end);
    }
  }
  for (const auto& end : active) end->turn();
}

bool Loop::run_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    turn(kStepMs);
  }
  return true;
}

}  // namespace leat::transport::conformance
