// try_write() through hooks: a message that finds no room is offered again, and must not pass them twice.
#pragma once

#include <algorithm>
#include <optional>
#include <utility>

#include <leat/message.h>
#include <leat/status.h>

namespace leat::transport {

class RetriedWrite {
 public:
  /// `message` as the hooks leave it.
  template <class Hook>
  Status pass(Payload& message, Hook hook) {
    if (passed_ && same(message, offered_)) {
      message = std::move(*passed_);
      passed_.reset();
      offered_ = {};
      return {};
    }
    return hook(message);
  }

  /// Writes the message as the hooks leave it; if there is no room, `message` is untouched.
  template <class Hook, class Write>
  Result<bool> attempt(Payload& message, Hook hook, Write write) {
    Payload original = message;
    Status status = pass(message, std::move(hook));
    refused_ = !status.ok();
    if (refused_) return failure(std::move(status));
    Result<bool> written = write(message);
    if (written && !*written) {
      passed_ = std::move(message);
      offered_ = original;
      message = std::move(original);
    }
    return written;
  }
  /// True if the last attempt() failed for the hooks' sake.
  [[nodiscard]] bool refused() const noexcept { return refused_; }

 private:
  static bool same(const Buffer& a, const Buffer& b) noexcept {
    return a.data() == b.data() && a.size() == b.size();
  }
  static bool same(const Payload& a, const Payload& b) noexcept {
    return a.codec == b.codec && same(a.head, b.head) &&
           std::ranges::equal(a.attachments, b.attachments,
                              [](const Buffer& x, const Buffer& y) { return same(x, y); });
  }

  Payload offered_;                // as the user gave it, kept so that its address is not used again
  std::optional<Payload> passed_;  // as the hooks left it
  bool refused_ = false;
};

}  // namespace leat::transport
