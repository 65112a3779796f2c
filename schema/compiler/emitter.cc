#include "schema/compiler/emitter.h"

#include <algorithm>

namespace leat::schema {
namespace {

template <class F>
void for_each_line(std::string_view text, const F& function) {
  while (true) {
    const std::size_t end = text.find('\n');
    function(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

void Emitter::raw(std::string_view text) {
  for_each_line(text, [this](std::string_view line) {
    if (!line.empty()) text_.append(width_ * depth_, ' ').append(line);
    text_ += '\n';
  });
  fresh_ = false;
}

void Emitter::gap() {
  if (!fresh_ && !text_.ends_with("\n\n")) text_ += '\n';
}

void Emitter::doc(std::string_view mark, std::string_view text) {
  if (text.empty()) return;
  for_each_line(text, [&](std::string_view line) {
    // A comment must not end before its line does, nor go on behind it: no control characters, no last
    // backslash.
    std::string content(line);
    std::ranges::replace_if(
        content, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
    while (!content.empty() && (content.back() == '\\' || content.back() == ' ')) content.pop_back();
    raw(content.empty() ? std::string(mark) : std::string(mark) + " " + std::string(content));
  });
}

}  // namespace leat::schema
