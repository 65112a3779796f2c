#include "behaviours.h"

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "behaviours.leat.h"

namespace behaviours {
namespace {

constexpr std::string_view kInitialKey = "x-leat-test-echo-initial";
constexpr std::string_view kTrailingKey = "x-leat-test-echo-trailing-bin";
constexpr std::string_view kInitialValue = "test_initial_metadata_value";
constexpr std::string_view kTrailingValue = "\xab\xab\xab";
constexpr std::string_view kSpecialMessage =
    "\t\ntest with whitespace\r\nand Unicode BMP \u263A and non-BMP \U0001F608\t\n";

using Sizes = std::vector<std::int32_t>;
std::vector<std::uint8_t> zeros(std::int32_t size) {
  return std::vector<std::uint8_t>(static_cast<std::size_t>(size));
}

// ---- the server

std::atomic<std::uint64_t> handlers_running{0};

/// In every handler: counts it, and sends back the metadata that asks for it.
class Handling {
 public:
  explicit Handling(leat::Context& context) {
    ++handlers_running;
    leat::Metadata initial;
    leat::Metadata trailing;
    for (const auto& [key, value] : context.metadata().entries()) {
      if (key == kInitialKey) initial.add(key, value);
      if (key == kTrailingKey) trailing.add(key, value);
    }
    context.call()->set_trailing_metadata(std::move(trailing));
    if (!initial.empty()) (void)context.call()->send_initial_metadata(std::move(initial));
  }
  Handling(const Handling&) = delete;
  Handling& operator=(const Handling&) = delete;
  ~Handling() { --handlers_running; }
};

template <class Request>
leat::Status asked_for(const Request& request) {
  if (!request.has_response_status()) return {};
  const auto wanted = request.response_status();
  return {static_cast<leat::Code>(wanted.code()), std::string(wanted.message())};
}

class TestServing final : public TestServiceService {
 public:
  leat::Result<Empty> empty_call(leat::Context& context, EmptyView /*request*/) override {
    const Handling handling(context);
    return Empty{};
  }
  leat::Result<SimpleResponse> unary_call(leat::Context& context, SimpleRequestView request) override {
    const Handling handling(context);
    if (leat::Status status = asked_for(request); !status.ok()) return leat::failure(std::move(status));
    return SimpleResponse{.payload = zeros(request.response_size())};
  }
  leat::Status streaming_output_call(leat::Context& context, OutputRequestView request,
                                     leat::Writer<OutputResponse>& out) override {
    const Handling handling(context);
    return answer(request, out);
  }
  leat::Result<InputResponse> streaming_input_call(leat::Context& context,
                                                   leat::RequestReader<InputRequestView>& requests) override {
    const Handling handling(context);
    std::int64_t sum = 0;
    for (const auto& request : requests) sum += static_cast<std::int64_t>(request->payload().size());
    if (!requests.status().ok()) return leat::failure(requests.status());
    return InputResponse{.aggregated_size = sum};
  }
  leat::Status full_duplex_call(leat::Context& context, leat::RequestReader<OutputRequestView>& requests,
                                leat::Writer<OutputResponse>& out) override {
    const Handling handling(context);
    for (const auto& request : requests) {
      if (leat::Status status = answer(*request, out); !status.ok()) return status;
    }
    return requests.status();
  }

 private:
  static leat::Status answer(const OutputRequestView& request, leat::Writer<OutputResponse>& out) {
    if (leat::Status status = asked_for(request); !status.ok()) return status;
    for (const std::int32_t size : request.sizes()) {
      if (leat::Status sent = out.write({.payload = zeros(size)}); !sent.ok()) return sent;
    }
    return {};
  }
};

// ---- the client

std::string expect(const leat::Status& status, leat::Code code,
                   std::optional<std::string_view> message = {}) {
  if (status.code() == code && (!message || status.message() == *message)) return "";
  return fmt::format("ended as {}, not {} {}", status.to_string(), leat::code_name(code),
                     message.value_or(""));
}

class Case {
 public:
  explicit Case(const leat::Peer& peer) : peer_(peer), service_(peer.service<TestService>()) {}

  std::string empty_unary() {
    const auto reply = service_.empty_call();
    return reply ? "" : reply.error().to_string();
  }

  std::string large_unary() {
    const auto reply = service_.unary_call({.response_size = 314159, .payload = zeros(271828)});
    if (!reply) return reply.error().to_string();
    return (*reply)->payload().size() == 314159 ? "" : fmt::format("{} bytes", (*reply)->payload().size());
  }

  std::string client_streaming() {
    auto upload = service_.streaming_input_call();
    for (const std::int32_t size : {27182, 8, 1828, 45904}) {
      if (leat::Status sent = upload.write({.payload = zeros(size)}); !sent.ok()) return sent.to_string();
    }
    const auto reply = upload.finish();
    if (!reply) return reply.error().to_string();
    return (*reply)->aggregated_size() == 74922 ? "" : fmt::format("{} bytes", (*reply)->aggregated_size());
  }

  std::string server_streaming() {
    const Sizes sizes = {31415, 9, 2653, 58979};
    auto replies = service_.streaming_output_call({.sizes = sizes});
    Sizes came;
    for (const auto& reply : replies) came.push_back(static_cast<std::int32_t>(reply->payload().size()));
    if (leat::Status status = replies.finish(); !status.ok()) return status.to_string();
    return came == sizes ? "" : fmt::format("{} replies", came.size());
  }

  std::string ping_pong() {
    auto call = service_.full_duplex_call();
    constexpr std::array<std::pair<std::int32_t, std::int32_t>, 4> kSizes = {
        {{27182, 31415}, {8, 9}, {1828, 2653}, {45904, 58979}}};
    for (const auto& [there, back] : kSizes) {
      if (leat::Status sent = call.write({.sizes = {back}, .payload = zeros(there)}); !sent.ok())
        return sent.to_string();
      const auto reply = call.next();
      if (!reply) return call.finish().to_string();
      if ((*reply)->payload().size() != static_cast<std::size_t>(back))
        return fmt::format("{} bytes", (*reply)->payload().size());
    }
    return end(call);
  }

  std::string empty_stream() {
    auto call = service_.full_duplex_call();
    return end(call);
  }

  std::string custom_metadata() {
    leat::ReceivedMetadata received;
    leat::CallOptions options;
    options.metadata.add(std::string(kInitialKey), std::string(kInitialValue));
    options.metadata.add(std::string(kTrailingKey), std::string(kTrailingValue));
    options.received = &received;
    if (const auto reply = service_.unary_call({.response_size = 1}, options); !reply)
      return reply.error().to_string();
    if (std::string wrong = check(received.initial, received.trailing); !wrong.empty())
      return "unary: " + wrong;

    options.received = nullptr;
    const auto call = peer_.caller()->start(leat::schema::method_ref(TestService::service_info(), 4),
                                            std::nullopt, options);
    if (!call) return call.error().to_string();
    if (leat::Status sent = (*call)->write(encode(OutputRequest{.sizes = {1}})); !sent.ok())
      return sent.to_string();
    if (!(*call)->read()) return (*call)->finish().to_string();
    (void)(*call)->half_close();
    if ((*call)->read()) return "more than one reply";
    if (leat::Status status = (*call)->finish(); !status.ok()) return status.to_string();
    return check((*call)->initial_metadata(), (*call)->trailing_metadata());
  }

  std::string status_code_and_message() { return status(leat::Code::kUnknown, "test status message"); }
  std::string special_status_message() { return status(leat::Code::kUnknown, kSpecialMessage); }

  std::string unimplemented_method() {
    const leat::MethodRef method{TestService::service_info().name, "UnimplementedCall"};
    const auto reply = peer_.caller()->call(method, encode(Empty{}), {});
    return reply ? "answered" : expect(reply.error(), leat::Code::kUnimplemented);
  }

  std::string unimplemented_service() {
    const auto reply = peer_.service<UnimplementedService>().unimplemented_call();
    return reply ? "answered" : expect(reply.error(), leat::Code::kUnimplemented);
  }

  std::string cancel_after_begin() {
    auto upload = service_.streaming_input_call();
    upload.cancel();
    const auto reply = upload.finish();
    return reply ? "answered" : expect(reply.error(), leat::Code::kCancelled);
  }

  std::string cancel_after_first_response() {
    auto call = service_.full_duplex_call();
    if (leat::Status sent = call.write({.sizes = {31415}, .payload = zeros(27182)}); !sent.ok())
      return sent.to_string();
    if (!call.next()) return call.finish().to_string();
    call.cancel();
    if (call.next()) return "a reply after the end";
    return expect(call.finish(), leat::Code::kCancelled);
  }

  std::string timeout_on_sleeping_server() {
    leat::CallOptions options;
    options.timeout = std::chrono::milliseconds(1);
    auto call = service_.full_duplex_call(options);
    (void)call.write({.payload = zeros(27182)});  // the time may be up already
    if (call.next()) return "a reply";
    return expect(call.finish(), leat::Code::kDeadlineExceeded);
  }

 private:
  template <class Call>
  static std::string end(Call& call) {
    (void)call.close();
    if (call.next()) return "a reply too many";
    const leat::Status status = call.finish();
    return status.ok() ? "" : status.to_string();
  }

  static std::string check(const leat::Metadata& initial, const leat::Metadata& trailing) {
    if (initial.get(kInitialKey) != kInitialValue) return "other initial metadata";
    return trailing.get(kTrailingKey) == kTrailingValue ? "" : "other trailing metadata";
  }

  std::string status(leat::Code code, std::string_view message) {
    const EchoStatus wanted{.code = static_cast<std::int32_t>(code), .message = std::string(message)};
    const auto reply = service_.unary_call({.response_status = wanted});
    if (reply) return "unary: answered";
    if (std::string wrong = expect(reply.error(), code, message); !wrong.empty()) return "unary " + wrong;
    auto call = service_.full_duplex_call();
    if (leat::Status sent = call.write({.response_status = wanted}); !sent.ok()) return sent.to_string();
    (void)call.close();
    if (call.next()) return "a reply";
    return expect(call.finish(), code, message);
  }

  const leat::Peer& peer_;
  TestService service_;
};

const std::map<std::string_view, std::string (Case::*)()> kCases = {
    {"empty_unary", &Case::empty_unary},
    {"large_unary", &Case::large_unary},
    {"client_streaming", &Case::client_streaming},
    {"server_streaming", &Case::server_streaming},
    {"ping_pong", &Case::ping_pong},
    {"empty_stream", &Case::empty_stream},
    {"custom_metadata", &Case::custom_metadata},
    {"status_code_and_message", &Case::status_code_and_message},
    {"special_status_message", &Case::special_status_message},
    {"unimplemented_method", &Case::unimplemented_method},
    {"unimplemented_service", &Case::unimplemented_service},
    {"cancel_after_begin", &Case::cancel_after_begin},
    {"cancel_after_first_response", &Case::cancel_after_first_response},
    {"timeout_on_sleeping_server", &Case::timeout_on_sleeping_server},
};

}  // namespace

Serving make_service() {
  return {std::make_shared<TestServing>(), [] { return handlers_running.load(); }};
}

std::string run_case(const leat::Peer& peer, std::string_view name) {
  const auto found = kCases.find(name);
  if (found == kCases.end()) return "no such case: " + std::string(name);
  Case run(peer);
  return (run.*found->second)();
}

}  // namespace behaviours
