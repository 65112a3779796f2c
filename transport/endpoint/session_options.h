#pragma once

#include <leat/peer.h>

#include "core/session/event.h"

namespace leat::transport {

/// The user's limits as a session takes them, with memory for attachments that is aligned for huge pages
/// where that pays.
[[nodiscard]] session::Options session_options(const ConnectionLimits& limits);

/// Unpredictable bytes from the operating system.
[[nodiscard]] wire::Token make_token();

}  // namespace leat::transport
