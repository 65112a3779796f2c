// What the clients of the workloads call, and how they name it.
#pragma once

#include <memory>
#include <string_view>

#include <leat/service.h>

#include "round.h"

namespace bench {

/// Echo: any message there and back. Put: an array one way, answered by its Receipt. Source, Sink, Chat: the
/// three kinds of stream.
[[nodiscard]] std::shared_ptr<leat::Service> make_work(const Options& options);

[[nodiscard]] inline leat::MethodRef work(std::string_view name,
                                          leat::CallKind kind = leat::CallKind::kUnary) {
  return {"bench.Work", name, kind};
}
[[nodiscard]] inline leat::Payload small(std::span<const std::byte> bytes) {
  return {leat::Codec::kRaw, leat::Buffer::copy(bytes), {}};
}
template <class T>
[[nodiscard]] leat::Bytes bytes_of(const T& value) noexcept {
  return std::as_bytes(std::span(&value, 1));
}
/// False, having said why.
inline bool fail(const leat::Status& status) {
  fmt::print(stderr, "{}\n", status.to_string());
  return false;
}

// Clients; they return the exit code.
int run_calls(const Options& options);
int run_arrays(const Options& options);
int run_streams(const Options& options);

}  // namespace bench
