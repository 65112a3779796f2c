#include "transport/inproc/conduit.h"

#include <algorithm>
#include <cerrno>
#include <sys/eventfd.h>

#include "transport/link/address.h"

namespace leat::transport {
namespace {

// What may be queued each way. Large pieces travel by reference, so this bounds what stands before an urgent
// frame rather than memory.
constexpr std::size_t kCapacity = 512 * 1024;

// A reader that makes room wakes the writer only when there is this much: not once per frame.
constexpr std::size_t kWorthWaking = kCapacity / 2;

// Pieces without an owner, and small ones with one, are copied together into blocks of this size.
constexpr std::size_t kBlock = 16 * 1024;
constexpr std::size_t kShareFrom = 4 * 1024;

}  // namespace

std::expected<Signal, int> Signal::make() {
  Signal signal;
  signal.event_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!signal.event_) return std::unexpected(errno);
  return signal;
}

void Signal::raise() noexcept {
  if (raised_) return;
  raised_ = true;
  eventfd_write(event_.get(), 1);
}

void Signal::lower() noexcept {
  if (!raised_) return;
  raised_ = false;
  eventfd_t count = 0;
  eventfd_read(event_.get(), &count);
}

std::expected<std::shared_ptr<Conduit>, int> Conduit::make() {
  auto conduit = std::make_shared<Conduit>();
  for (Side& side : conduit->sides_) {
    auto signal = Signal::make();
    if (!signal) return std::unexpected(signal.error());
    side.signal = std::move(*signal);
  }
  return conduit;
}

std::size_t Conduit::room(int end) {
  const std::lock_guard lock(mutex_);
  Side& side = mine(end);
  const Side& peer = other(end);
  if (side.closed || side.lost) return 0;
  if (peer.inbound_bytes < kCapacity) return kCapacity - peer.inbound_bytes;
  side.wants_room = true;
  return 0;
}

std::unexpected<Status> Conduit::fail(Side& side) {
  if (side.closed) return failure(lost(ECONNABORTED));
  side.lost = true;
  return failure(lost(0));
}

void Conduit::append(Side& to, const Slice& slice, std::size_t offset, std::size_t size) {
  to.inbound_bytes += size;
  Bytes bytes = slice.bytes.subspan(offset, size);
  if (slice.owner.data() != nullptr && size >= kShareFrom) {
    to.inbound.push_back({bytes, slice.owner, {}});
    return;
  }
  while (!bytes.empty()) {
    if (to.inbound.empty() || to.inbound.back().block.empty() || to.inbound.back().block.size() >= kBlock) {
      to.inbound.emplace_back().block.reserve(std::max(kBlock, std::min(size, kCapacity)));
    }
    Piece& last = to.inbound.back();
    const std::size_t part = std::min(bytes.size(), last.block.capacity() - last.block.size());
    last.block.insert(last.block.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
    bytes = bytes.subspan(part);
  }
}

Result<std::size_t> Conduit::send(int end, std::span<const Slice> slices) {
  const std::lock_guard lock(mutex_);
  Side& side = mine(end);
  Side& peer = other(end);
  std::size_t offered = 0;
  for (const Slice& slice : slices) offered += slice.bytes.size();
  if (side.closed || side.lost) return fail(side);
  if (peer.closed) {
    // The peer's last words come first; until they are read, ours go where they would have gone.
    if (side.inbound_bytes > 0) return offered;
    return fail(side);
  }
  std::size_t sent = 0;
  for (const Slice& slice : slices) {
    const std::size_t size =
        std::min(slice.bytes.size(), kCapacity - std::min(kCapacity, peer.inbound_bytes));
    if (size > 0) append(peer, slice, 0, size);
    sent += size;
    if (size < slice.bytes.size()) break;
  }
  if (sent > 0) peer.signal.raise();
  if (sent < offered) side.wants_room = true;
  return sent;
}

Result<std::size_t> Conduit::receive(int end, Receiver& receiver, std::size_t limit) {
  std::vector<Piece> taken;
  std::size_t total = 0;
  {
    const std::lock_guard lock(mutex_);
    Side& side = mine(end);
    Side& peer = other(end);
    if (side.closed || side.lost) return fail(side);
    while (!side.inbound.empty() && total < limit) {
      Piece& first = side.inbound.front();
      if (!first.block.empty()) first.bytes = first.block;
      total += first.bytes.size();
      // Moving a vector keeps its memory, so `bytes` stays right.
      taken.push_back(std::move(first));
      side.inbound.pop_front();
    }
    side.inbound_bytes -= total;
    if (side.inbound.empty() && !peer.closed) side.signal.lower();
    if (total == 0 && peer.closed) return fail(side);
    if (peer.wants_room && side.inbound_bytes + kWorthWaking <= kCapacity) {
      peer.wants_room = false;
      peer.signal.raise();
    }
  }
  for (const Piece& piece : taken) receiver.deliver(piece.bytes);
  return total;
}

void Conduit::close(int end) noexcept {
  std::deque<Piece> unread;  // freed without the lock: owners may be anything
  const std::lock_guard lock(mutex_);
  Side& side = mine(end);
  if (side.closed) return;
  side.closed = true;
  unread.swap(side.inbound);
  side.inbound_bytes = 0;
  other(end).signal.raise();
}

}  // namespace leat::transport
