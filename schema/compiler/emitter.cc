#include "schema/compiler/emitter.h"

namespace leat::schema {
namespace {

template <class F>
void for_each_line(std::string_view text, F&& function) {
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
    if (!line.empty()) text_.append(static_cast<std::size_t>(width_ * depth_), ' ').append(line);
    text_ += '\n';
  });
  fresh_ = false;
}

void Emitter::gap() {
  if (!fresh_ && !text_.ends_with("\n\n")) text_ += '\n';
}

void Emitter::doc(std::string_view mark, std::string_view text) {
  if (text.empty()) return;
  for_each_line(text, [&](std::string_view content) {
    raw(content.empty() ? std::string(mark) : std::string(mark) + " " + std::string(content));
  });
}

}  // namespace leat::schema
