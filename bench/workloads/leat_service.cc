#include "leat_service.h"

namespace bench {
namespace {

class Work final : public leat::Service {
 public:
  explicit Work(const Options& options) : wrong_(options.wrong), slow_(options.slow) {}

  [[nodiscard]] const leat::ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<leat::MethodInfo, 5> kMethods = {
        {{.name = "Echo"},
         {.name = "Put"},
         {.name = "Source", .kind = leat::CallKind::kServerStream},
         {.name = "Sink", .kind = leat::CallKind::kClientStream},
         {.name = "Chat", .kind = leat::CallKind::kBidi}}};
    static const leat::ServiceInfo kInfo{"bench.Work", kMethods, {}};
    return kInfo;
  }

  leat::Status handle_call(std::size_t method, leat::ServerCall& call) override {
    switch (method) {
      case 0: return echo(call);
      case 1: return put(call);
      case 2: return source(call);
      case 3: return sink(call);
      default: return chat(call);
    }
  }

 private:
  leat::Status echo(leat::ServerCall& call) {
    leat::Result<std::optional<leat::Payload>> request = call.read();
    if (!request) return request.error();
    if (!*request) return {leat::Code::kInvalidArgument, "Echo needs a request"};
    return call.write_last(spoilt(std::move(**request)));
  }

  leat::Status put(leat::ServerCall& call) {
    const leat::Result<std::optional<leat::Payload>> request = call.read();
    if (!request) return request.error();
    if (!*request || (*request)->attachments.size() != 1) return {leat::Code::kInvalidArgument, "an array"};
    const leat::Buffer& array = (*request)->attachments[0];
    Receipt receipt{.number = 0, .size = array.size()};
    std::memcpy(&receipt.number, array.data(), sizeof receipt.number);
    if (!stamped(array, receipt.number)) return {leat::Code::kDataLoss, "the array"};
    return call.write_last(spoilt(small(bytes_of(receipt))));
  }

  leat::Status source(leat::ServerCall& call) {
    const leat::Result<std::optional<leat::Payload>> request = call.read();
    if (!request) return request.error();
    std::size_t size = 0;
    std::memcpy(&size, (*request)->head.data(), sizeof size);
    Pattern pattern(size);
    for (std::uint64_t number = 0;; ++number) {
      if (leat::Status sent = call.write(spoilt(small(pattern.request(number)))); !sent.ok()) return sent;
    }
  }

  leat::Status sink(leat::ServerCall& call) {
    std::optional<Pattern> pattern;
    for (std::uint64_t number = 0;; ++number) {
      const leat::Result<std::optional<leat::Payload>> item = call.read();
      if (!item) return item.error();
      if (!*item) return call.write_last(spoilt(small(bytes_of(number))));
      if (!pattern) pattern.emplace((*item)->head.size());
      if (!pattern->is((*item)->head, number))
        return {leat::Code::kDataLoss, "item " + std::to_string(number)};
    }
  }

  leat::Status chat(leat::ServerCall& call) {
    for (;;) {
      leat::Result<std::optional<leat::Payload>> item = call.read();
      if (!item) return item.error();
      if (!*item) return {};
      if (leat::Status sent = call.write(spoilt(std::move(**item))); !sent.ok()) return sent;
    }
  }

  /// For the tests of the harness: one answer wrong, or all slow.
  leat::Payload spoilt(leat::Payload answer) {
    if (slow_ > 0) {
      for (const auto end = Clock::now() + std::chrono::microseconds(slow_); Clock::now() < end;) {
      }
    }
    if (wrong_ >= 0 && answers_.fetch_add(1, std::memory_order_relaxed) == wrong_) {
      leat::Buffer& bytes = answer.attachments.empty() ? answer.head : answer.attachments[0];
      bytes = leat::Buffer::copy(bytes.bytes());
      bytes.writable().front() ^= std::byte{1};
    }
    return answer;
  }

  const std::int64_t wrong_;
  const std::int64_t slow_;
  std::atomic<std::int64_t> answers_{0};
};

}  // namespace

std::shared_ptr<leat::Service> make_work(const Options& options) { return std::make_shared<Work>(options); }

}  // namespace bench
