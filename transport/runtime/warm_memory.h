// Memory for large received buffers. Large transfers are limited by fresh memory, not by the network: the
// first touch of 64 MiB costs 20 ms, 2.4 ms with huge pages, and nothing if the pages are still there from
// the last message.
#pragma once

#include <cstddef>

#include <leat/bytes.h>

namespace leat::transport {

/// Uninitialised memory, aligned at least to Buffer::kAlignment. From 1 MiB on it is aligned to 2 MiB and
/// offered to the kernel for huge pages, and blocks that are let go of are kept for the next message of that
/// size class, up to 256 MiB in all. Thread-safe.
Buffer allocate_warm(std::size_t size);

/// Bytes that are kept for later messages now.
[[nodiscard]] std::size_t warm_memory_kept() noexcept;

}  // namespace leat::transport
