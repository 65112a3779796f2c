// The slow reader: a server whose streams never run dry, and a client that reads one of them slowly, then not
// at all, while it goes on calling on the same connection. test_soak.py starts both and watches their memory.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <leat/peer.h>
#include <leat/server.h>

namespace soak {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration;
constexpr std::size_t kItem = 64U << 10U;
constexpr std::uint64_t kStreamBytes = 10'000'000'000;

void print(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

/// Give: 10 GB in items of 64 KiB. Echo.
class Source final : public leat::Service {
 public:
  [[nodiscard]] const leat::ServiceInfo& service_info() const noexcept override {
    static constexpr std::array<leat::MethodInfo, 2> kMethods = {
        {{.name = "Echo"}, {.name = "Give", .kind = leat::CallKind::kServerStream}}};
    static const leat::ServiceInfo kInfo{"source", kMethods, {}};
    return kInfo;
  }
  leat::Status handle_call(std::size_t method, leat::ServerCall& call) override {
    leat::Result<std::optional<leat::Payload>> request = call.read();
    if (!request) return request.error();
    if (method == 0) return call.write(std::move(**request));
    for (std::uint64_t sent = 0; sent < kStreamBytes; sent += kItem) {
      leat::Buffer item = leat::Buffer::allocate(kItem);  // anew: what waits to be sent costs memory
      std::fill(item.writable().begin(), item.writable().end(), static_cast<std::byte>(sent / kItem));
      leat::Status written = call.write({leat::Codec::kRaw, std::move(item), {}});
      if (!written.ok()) return written;
    }
    return {};
  }
};

int serve(const std::string& url) {
  leat::Server server;
  if (!server.add(std::make_shared<Source>()).ok()) return 1;
  const leat::Result<std::string> listening = server.listen(url);
  if (!listening) return 1;
  print(fmt::format(R"({{"url": "{}"}})", *listening));
  server.wait();
  return 0;
}

/// Calls at a steady rate; a call that is late does not put off those behind it.
class Calls {
 public:
  Calls(leat::Caller& caller, double rate) : caller_(caller), interval_(1 / rate) {}

  /// One phase of so many seconds; prints how the calls went.
  void phase(const std::string& name, double seconds) {
    std::vector<double> times;
    std::size_t failures = 0;
    const auto began = Clock::now();
    const auto step = std::chrono::duration_cast<Clock::duration>(interval_);
    const std::string text(64, 'x');
    const auto count = static_cast<std::size_t>(seconds / interval_.count());
    times.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::this_thread::sleep_until(began + static_cast<Clock::rep>(i) * step);
      const auto start = Clock::now();
      const auto reply =
          caller_.call({"source", "Echo"}, {leat::Codec::kRaw, leat::Buffer::copy(text), {}}, {});
      times.push_back(duration<double>(Clock::now() - start).count());
      if (!reply || reply->head.text() != text) ++failures;
    }
    const double took = duration<double>(Clock::now() - began).count();
    std::sort(times.begin(), times.end());
    const auto at = [&](double part) {
      return times.empty() ? 0.0 : 1e6 * times[static_cast<std::size_t>(part * double(times.size() - 1))];
    };
    print(fmt::format(R"({{"phase": "{}", "calls": {}, "failures": {}, "rate": {:.0f}, "p50": {:.0f}, )"
                      R"("p99": {:.0f}, "worst": {:.0f}}})",
                      name, times.size(), failures, static_cast<double>(times.size()) / took, at(0.5),
                      at(0.99), at(1)));
  }

 private:
  leat::Caller& caller_;
  duration<double> interval_;
};

/// Reads the stream at so many bytes a second until it is told to stop.
class SlowReader {
 public:
  SlowReader(leat::Caller& caller, double rate) : rate_(rate) {
    auto call = caller.start({"source", "Give", leat::CallKind::kServerStream}, leat::Payload{}, {});
    if (call) call_ = std::move(*call);
  }
  void start() {
    thread_ = std::thread([this] {
      const auto began = Clock::now();
      while (!stop_ && call_) {
        const std::optional<leat::Payload> item = call_->read();
        if (!item || item->head.size() != kItem || item->head.data()[0] != std::byte(read_ / kItem)) {
          wrong_ = true;
          return;
        }
        read_ += kItem;
        std::this_thread::sleep_until(began + std::chrono::duration_cast<Clock::duration>(
                                                  duration<double>(static_cast<double>(read_) / rate_)));
      }
    });
  }
  void stop() {
    stop_ = true;
    thread_.join();
  }
  /// "cancelled", if all is well.
  std::string cancel() {
    if (!call_ || wrong_) return "wrong";
    call_->cancel();
    return std::string(leat::code_name(call_->finish().code()));
  }
  [[nodiscard]] std::uint64_t read() const { return read_; }

 private:
  double rate_;
  std::unique_ptr<leat::ClientCall> call_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> wrong_{false};
  std::atomic<std::uint64_t> read_{0};
};

struct Plan {
  double rate = 1000;    // calls a second
  double bytes = 1e6;    // a second, read from the stream
  double idle = 10;      // seconds without the stream
  double reading = 60;   // seconds of slow reading
  double standing = 30;  // seconds of no reading
};

/// After each phase waits for a line on standard input, so that the memory can be looked at meanwhile.
int run(const std::string& url, const Plan& plan) {
  const leat::Result<leat::Peer> peer = leat::connect(url);
  if (!peer) return 1;
  Calls calls(*peer->caller(), plan.rate);
  std::string line;
  const auto pause = [&line] { std::getline(std::cin, line); };
  calls.phase("idle", plan.idle);
  pause();
  SlowReader reader(*peer->caller(), plan.bytes);
  reader.start();
  calls.phase("slow reader", plan.reading);
  pause();
  reader.stop();
  calls.phase("reader that stands still", plan.standing);
  pause();
  const std::string how = reader.cancel();
  calls.phase("after the cancel", plan.idle);
  pause();
  print(fmt::format(R"({{"stream": "{}", "read": {}}})", how, reader.read()));
  return 0;
}

}  // namespace
}  // namespace soak

int main(int argc, char** argv) {
  CLI::App app("The peers of the soak test");
  std::string role;
  std::string url;
  soak::Plan plan;
  app.add_option("role", role)->required()->check(CLI::IsMember({"server", "client"}));
  app.add_option("url", url)->required();
  app.add_option("--idle", plan.idle, "seconds, before and after");
  app.add_option("--reading", plan.reading, "seconds of reading at 1 MB/s");
  app.add_option("--standing", plan.standing, "seconds of not reading");
  CLI11_PARSE(app, argc, argv);
  return role == "server" ? soak::serve(url) : soak::run(url, plan);
}
