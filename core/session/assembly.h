// Messages being put together from frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <leat/message.h>

#include "core/wire/call_frames.h"

namespace leat::session {

/// One message on its way in. Until it is admitted, its first bytes (at most a window) wait in chunks of
/// their own, which take little more memory than there are bytes; from then on they are written straight to
/// where the application will read them.
class Assembly {
 public:
  using Allocate = std::function<Buffer(std::size_t)>;

  explicit Assembly(wire::Prologue prologue)
      : prologue_(std::move(prologue)), size_(prologue_.message_size()) {}

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint64_t received() const noexcept { return received_; }
  [[nodiscard]] bool complete() const noexcept { return received_ == size_; }
  [[nodiscard]] bool admitted() const noexcept { return admitted_; }
  /// The memory that early bytes take.
  [[nodiscard]] std::size_t early_capacity() const noexcept;

  /// Allocates the destination and moves the early bytes into it.
  void admit(const Allocate& allocate);

  /// Where the next bytes go: part of one buffer, never empty while admitted and incomplete.
  [[nodiscard]] std::span<std::byte> destination() noexcept;
  /// `size` bytes were written to destination().
  void wrote(std::size_t size) noexcept;
  /// Takes bytes from elsewhere; at most size() - received() of them.
  void append(Bytes bytes);

  /// The finished message; once.
  Payload take();

 private:
  [[nodiscard]] Buffer& part() noexcept { return part_ == 0 ? head_ : attachments_[part_ - 1]; }
  void skip_full_parts() noexcept;
  void append_early(Bytes bytes);

  wire::Prologue prologue_;
  std::uint64_t size_;
  std::uint64_t received_ = 0;
  bool admitted_ = false;
  std::size_t part_ = 0;
  std::size_t offset_ = 0;
  Buffer head_;
  std::vector<Buffer> attachments_;
  std::vector<std::vector<std::byte>> early_;  // all but the last are full
};

/// A message whose bytes are all here already, in one piece: `body` behind the prologue.
Payload assemble_whole(const wire::Prologue& prologue, Bytes body, const Assembly::Allocate& allocate);

}  // namespace leat::session
