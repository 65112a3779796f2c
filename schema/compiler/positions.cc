#include "schema/compiler/positions.h"

#include <cctype>
#include <utility>

namespace leat::schema {
namespace {

struct Token {
  std::string_view text;  ///< an identifier (with dots), one punctuation mark, or empty at the end
  int line = 1;
  [[nodiscard]] bool is(char mark) const noexcept { return text.size() == 1 && text.front() == mark; }
  [[nodiscard]] bool is_identifier() const noexcept {
    return !text.empty() &&
           (std::isalpha(static_cast<unsigned char>(text.front())) != 0 || text.front() == '_');
  }
};

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Token next() {
    skip();
    if (at_ >= text_.size()) return {.text = {}, .line = line_};
    const std::size_t start = at_;
    const int line = line_;
    if (text_[at_] == '"') {
      skip_string();
      return {.text = text_.substr(start, 1), .line = line};
    }
    if (!is_word(text_[at_])) {
      ++at_;
      return {.text = text_.substr(start, 1), .line = line};
    }
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    return {.text = text_.substr(start, at_ - start), .line = line};
  }

 private:
  static bool is_word(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
  }

  [[nodiscard]] bool starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }

  void skip() {
    while (at_ < text_.size()) {
      if (starts("//")) {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (starts("/*")) {
        while (at_ < text_.size() && !starts("*/")) step();
        at_ += at_ < text_.size() ? 2U : 0U;
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0) {
        step();
      } else {
        return;
      }
    }
  }
  void skip_string() {
    step();
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) step();
      step();
    }
    if (at_ < text_.size()) step();
  }
  void step() {
    if (text_[at_] == '\n') ++line_;
    ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

bool declares(std::string_view word) {
  return word == "table" || word == "struct" || word == "enum" || word == "union" || word == "rpc_service";
}

}  // namespace

void Positions::scan(const std::string& file, std::string_view text) {
  Scanner scanner(text);
  std::string prefix;       // the namespace, with a dot
  std::string declaration;  // what the braces around here belong to
  int braces = 0;
  int parentheses = 0;  // and brackets
  bool name_next = false;
  for (Token token = scanner.next(); !token.text.empty(); token = scanner.next()) {
    if (token.is('(') || token.is('[')) ++parentheses;
    if (token.is(')') || token.is(']')) --parentheses;
    if (parentheses != 0) continue;
    if (token.is('{')) ++braces;
    if (token.is('}')) --braces;
    const bool named_here =
        std::exchange(name_next, braces == 1 && (token.is('{') || token.is(';') || token.is(',')));
    if (braces == 0 && token.text == "namespace") {
      token = scanner.next();
      prefix = token.is(';') ? std::string() : std::string(token.text) + ".";
    } else if (braces == 0 && declares(token.text)) {
      token = scanner.next();
      declaration = prefix + std::string(token.text);
      found_.insert_or_assign(declaration, Position{.file = file, .line = token.line});
    } else if (named_here && token.is_identifier()) {
      // The first of two with the same name stays: the second is what the parser complains about, with its
      // own line.
      found_.emplace(declaration + "." + std::string(token.text), Position{.file = file, .line = token.line});
    }
  }
}

const Position* Positions::find(std::string_view name) const {
  const auto found = found_.find(name);
  return found == found_.end() ? nullptr : &found->second;
}

}  // namespace leat::schema
