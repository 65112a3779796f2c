// Key-value pairs that travel beside a call: before its first message and with its status.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <leat/status.h>

namespace leat {

/// An ordered multimap. Keys are of [a-z0-9_.-]; a key that ends in "-bin" has bytes as its value, any other
/// UTF-8 text without control characters. Keys that begin with "leat-" are the framework's.
class Metadata {
 public:
  using Entry = std::pair<std::string, std::string>;

  Metadata() = default;
  Metadata(std::initializer_list<Entry> entries) : entries_(entries) {}

  void add(std::string key, std::string value) { entries_.emplace_back(std::move(key), std::move(value)); }
  /// The only value of that key from now on.
  void set(std::string key, std::string value);
  /// Takes all values of that key out; how many there were.
  std::size_t remove(std::string_view key) noexcept;
  /// The first value of that key.
  [[nodiscard]] std::optional<std::string_view> get(std::string_view key) const noexcept;
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  /// Bytes of all keys and values, and 32 for each pair (as HTTP/2 counts, RFC 9113 section 6.5.2), so that
  /// many empty ones are not free. The limit `max_metadata_bytes` bounds this.
  [[nodiscard]] std::size_t byte_size() const noexcept;
  /// kInvalidArgument naming the first key or value that breaks the rules above.
  [[nodiscard]] Status validate() const;

  friend bool operator==(const Metadata&, const Metadata&) = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace leat
