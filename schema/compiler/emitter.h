// Text under construction: lines with indentation, and the includes or imports that they turned out to need.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace leat::schema {

class Emitter {
 public:
  explicit Emitter(std::size_t indent_width) : width_(indent_width) {}

  /// One line (or several, at '\n') at the current indentation, formatted by fmt: braces are doubled.
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    raw(fmt::format(format, std::forward<Args>(args)...));
  }
  /// The same as it is.
  void raw(std::string_view text);
  /// An empty line, unless there is one already or a block has just begun.
  void gap();
  /// Each line of a doc comment behind `mark` ("///").
  void doc(std::string_view mark, std::string_view text);

  void indent() {
    ++depth_;
    fresh_ = true;
  }
  void dedent() {
    --depth_;
    fresh_ = false;
  }

  /// Notes that the text needs this line ("#include <vector>", "import enum as _enum"); each is given once,
  /// sorted.
  void need(std::string import) { imports_.insert(std::move(import)); }
  [[nodiscard]] const std::set<std::string>& imports() const noexcept { return imports_; }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::size_t width_;
  std::size_t depth_ = 0;
  bool fresh_ = true;  ///< nothing stands above in this block
  std::string text_;
  std::set<std::string> imports_;
};

}  // namespace leat::schema
