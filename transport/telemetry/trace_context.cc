// The grammar of https://www.w3.org/TR/trace-context-1/, sections 3.2 and 3.3.
#include <algorithm>
#include <set>
#include <string>

#include <leat/trace.h>

namespace leat {
namespace {

constexpr std::string_view kParentKey = "traceparent";
constexpr std::string_view kStateKey = "tracestate";

bool is_hex(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool is_zero(std::string_view text) noexcept { return text.find_first_not_of('0') == std::string_view::npos; }

/// Version 00, and of later versions the part that they share with it (section 4.3, "Versioning").
std::optional<TraceContext> parse_parent(std::string_view text) {
  constexpr std::size_t kLength = 55;
  if (text.size() < kLength || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  const std::string_view version = text.substr(0, 2);
  const std::string_view trace_id = text.substr(3, 32);
  const std::string_view span_id = text.substr(36, 16);
  const std::string_view flags = text.substr(53, 2);
  if (!is_hex(version) || !is_hex(trace_id) || !is_hex(span_id) || !is_hex(flags)) return std::nullopt;
  if (version == "ff" || is_zero(trace_id) || is_zero(span_id)) return std::nullopt;
  if (text.size() > kLength && (version == "00" || text[kLength] != '-')) return std::nullopt;
  const auto last = static_cast<unsigned>(flags[1] <= '9' ? flags[1] - '0' : flags[1] - 'a' + 10);
  return TraceContext{std::string(trace_id), std::string(span_id), (last & 1U) != 0, {}};
}

bool is_key_part(std::string_view text, bool may_begin_with_digit, std::size_t most) noexcept {
  if (text.empty() || text.size() > most) return false;
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!lower(text[0]) && !(may_begin_with_digit && digit(text[0]))) return false;
  return std::ranges::all_of(
      text, [&](char c) { return lower(c) || digit(c) || c == '_' || c == '-' || c == '*' || c == '/'; });
}

bool is_key(std::string_view key) noexcept {
  const std::size_t at = key.find('@');
  if (at == std::string_view::npos) return is_key_part(key, false, 256);
  return is_key_part(key.substr(0, at), true, 241) && is_key_part(key.substr(at + 1), false, 14);
}

bool is_value(std::string_view value) noexcept {
  if (value.empty() || value.size() > 256 || value.back() == ' ') return false;
  return std::ranges::all_of(value, [](char c) { return c >= 0x20 && c <= 0x7e && c != ',' && c != '='; });
}

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Adds one header's members; false if the list is invalid as a whole.
bool add_members(std::string_view text, std::string& state, std::set<std::string_view>& keys) {
  constexpr std::size_t kMostMembers = 32;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view member = trimmed(text.substr(0, comma));
    if (!member.empty()) {  // empty ones are allowed, and mean nothing
      const std::size_t equals = member.find('=');
      if (equals == std::string_view::npos) return false;
      const std::string_view key = member.substr(0, equals);
      if (!is_key(key) || !is_value(member.substr(equals + 1))) return false;
      if (!keys.insert(key).second || keys.size() > kMostMembers) return false;
      if (!state.empty()) state += ',';
      state += member;
    }
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

std::string parse_state(const Metadata& metadata) {
  std::string state;
  std::set<std::string_view> keys;
  for (const auto& [key, value] : metadata.entries()) {
    if (key == kStateKey && !add_members(value, state, keys)) return {};
  }
  return state;
}

}  // namespace

std::string TraceContext::traceparent() const {
  return "00-" + trace_id + "-" + span_id + (sampled ? "-01" : "-00");
}

std::optional<TraceContext> trace_context(const Metadata& metadata) {
  std::optional<TraceContext> context;
  for (const auto& [key, value] : metadata.entries()) {
    if (key != kParentKey) continue;
    if (context) return std::nullopt;  // which of them?
    context = parse_parent(value);
    if (!context) return std::nullopt;
  }
  if (context) context->state = parse_state(metadata);
  return context;
}

}  // namespace leat
