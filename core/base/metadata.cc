#include <leat/metadata.h>

#include "core/base/utf8.h"

namespace leat {

std::optional<std::string_view> Metadata::get(std::string_view key) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.first == key) return entry.second;
  }
  return std::nullopt;
}

std::size_t Metadata::remove(std::string_view key) noexcept {
  return std::erase_if(entries_, [key](const Entry& entry) { return entry.first == key; });
}

void Metadata::set(std::string key, std::string value) {
  remove(key);
  add(std::move(key), std::move(value));
}

std::size_t Metadata::byte_size() const noexcept {
  static constexpr std::size_t kPerEntry = 32;
  std::size_t size = kPerEntry * entries_.size();
  for (const Entry& entry : entries_) size += entry.first.size() + entry.second.size();
  return size;
}

namespace {
bool is_key_character(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}
bool is_text(std::string_view value) noexcept {
  for (const char c : value) {
    if ((c >= 0 && c < 0x20 && c != '\t') || c == 0x7f) return false;
  }
  return is_utf8(value);
}
}  // namespace

Status Metadata::validate() const {
  for (const auto& [key, value] : entries_) {
    bool good = !key.empty();
    for (const char c : key) good = good && is_key_character(c);
    if (!good) {
      return {Code::kInvalidArgument,
              "metadata key '" + key + "': only a-z, 0-9, '_', '.' and '-' are allowed"};
    }
    if (!key.ends_with("-bin") && !is_text(value)) {
      return {Code::kInvalidArgument, "metadata '" + key +
                                          "': the value is not plain UTF-8 text; end the key in '-bin' "
                                          "to send bytes"};
    }
  }
  return {};
}

}  // namespace leat
