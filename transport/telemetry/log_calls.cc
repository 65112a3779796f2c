#include <array>
#include <charconv>
#include <string>
#include <utility>

#include <leat/log_calls.h>
#include <leat/trace.h>

#include "transport/runtime/clock.h"

namespace leat {
namespace {

bool is_plain(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.:/+@[]%*").find(c) != std::string_view::npos;
}

void append_quoted(std::string& line, std::string_view value) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  line += '"';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (c == '\n') {
      line += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      line += "\\x";
      line += kHex[byte >> 4U];
      line += kHex[byte & 15U];
    } else {
      line += c;
    }
  }
  line += '"';
}

void append(std::string& line, std::string_view key, std::string_view value) {
  line += ' ';
  line += key;
  line += '=';
  bool plain = !value.empty();
  for (const char c : value) plain = plain && is_plain(c);
  if (plain) {
    line += value;
  } else {
    append_quoted(line, value);
  }
}

void append(std::string& line, std::string_view key, std::uint64_t value) {
  append(line, key, std::string_view(std::to_string(value)));
}

std::string milliseconds(Duration took) {
  std::array<char, 32> text{};
  const double value = std::chrono::duration<double, std::milli>(took).count();
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, 3);
  return {text.data(), end.ptr};
}

std::string_view kind_name(CallKind kind) noexcept {
  static constexpr std::array<std::string_view, 4> kNames = {"unary", "server_stream", "client_stream",
                                                             "bidi"};
  const auto index = static_cast<std::size_t>(kind);
  return index < kNames.size() ? kNames[index] : "unknown";
}

struct Shared {
  Logger logger;
  LogCallsOptions options;
};

class LoggedCall final : public CallHooks {
 public:
  LoggedCall(std::shared_ptr<const Shared> shared, const CallDetails& call)
      : shared_(std::move(shared)), call_(call), began_(shared_->options.clock()) {}

  Status on_send(Payload& message) override {
    ++sent_;
    sent_bytes_ += message.byte_size();
    return {};
  }
  Status on_receive(Payload& message) override {
    ++received_;
    received_bytes_ += message.byte_size();
    return {};
  }
  void on_end(Status& status, Metadata& /*trailing*/) override {
    const Duration took = shared_->options.clock() - began_;
    if (status.ok() && took < shared_->options.slower_than) return;
    std::string line = "call";
    append(line, "side", side_name(call_.side));
    append(line, "service", call_.service);
    append(line, "method", call_.method);
    append(line, "kind", kind_name(call_.kind));
    append(line, "peer", call_.peer);
    append(line, "status", code_name(status.code()));
    append(line, "duration_ms", milliseconds(took));
    append(line, "sent", sent_);
    append(line, "sent_bytes", sent_bytes_);
    append(line, "received", received_);
    append(line, "received_bytes", received_bytes_);
    if (const auto trace = trace_context(call_.metadata)) append(line, "trace_id", trace->trace_id);
    if (!status.ok()) append(line, "message", status.message());
    shared_->logger(status.ok() ? shared_->options.ok : shared_->options.failed, line);
  }

 private:
  const std::shared_ptr<const Shared> shared_;
  const CallDetails& call_;
  const TimePoint began_;
  std::uint64_t sent_ = 0;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t received_bytes_ = 0;
};

class LogCalls final : public Interceptor {
 public:
  explicit LogCalls(Shared shared) : shared_(std::make_shared<Shared>(std::move(shared))) {}
  [[nodiscard]] std::string_view name() const noexcept override { return "log_calls"; }
  [[nodiscard]] std::unique_ptr<CallHooks> begin(CallDetails& call) override {
    if (!shared_->logger) return nullptr;
    return std::make_unique<LoggedCall>(shared_, call);
  }

 private:
  const std::shared_ptr<const Shared> shared_;
};

}  // namespace

std::shared_ptr<Interceptor> log_calls(Logger logger, LogCallsOptions options) {
  if (!options.clock) options.clock = transport::now;
  return std::make_shared<LogCalls>(Shared{std::move(logger), std::move(options)});
}

}  // namespace leat
