// One process of a chain: the top calls the middle, the middle calls the end, and each waits in steps of 10
// ms for as long as it is waited for. chain.py is the same program in Python.
//
// A line of JSON for each event, times in seconds of CLOCK_MONOTONIC, which all processes of a machine share.
#include <chrono>
#include <iostream>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <leat/peer.h>
#include <leat/server.h>

#include "chain.leat.h"

namespace chain {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds kStep(10);

double seconds(Clock::time_point at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }

void log(std::string_view event, std::optional<Clock::time_point> at, std::string_view status = "") {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const std::string time = at ? fmt::format("{:.6f}", seconds(*at)) : "null";
  fmt::print(R"({{"event": "{}", "at": {}, "status": "{}"}}{})", event, time, status, "\n");
  std::fflush(stdout);
}

std::optional<Clock::time_point> as_time(leat::TimePoint deadline) {
  if (deadline == leat::kNever) return std::nullopt;
  return std::chrono::time_point_cast<Clock::duration>(deadline);
}

const leat::MethodRef kHold{"chain.Chain", "Hold"};

class Hop final : public ChainService {
 public:
  explicit Hop(std::shared_ptr<leat::Caller> next) : next_(std::move(next)) {}

  leat::Result<Waited> hold(leat::Context& context, WaitView /*request*/) override {
    log("deadline", as_time(context.deadline()));
    // The call onward is bounded by this one because it is made in its handler; no option says so.
    std::unique_ptr<leat::ClientCall> onward;
    if (next_) {
      auto started = next_->start(kHold, encode(Wait{}), {});
      if (!started) return leat::failure(started.error());
      onward = std::move(*started);
    }
    do log("step", Clock::now());
    while (!context.wait_for(kStep) && (!onward || !onward->ended()));
    if (onward) {
      const leat::Status status = onward->finish();
      log("onward", Clock::now(), leat::code_name(status.code()));
    }
    log("left", Clock::now());
    return Waited{};
  }

 private:
  std::shared_ptr<leat::Caller> next_;
};

std::optional<leat::Peer> reach(const std::string& url) {
  leat::Result<leat::Peer> peer = leat::connect(url);
  if (peer) return std::move(*peer);
  fmt::print(stderr, "{}\n", peer.error().to_string());
  return std::nullopt;
}

int serve(const std::string& url, const std::string& next) {
  std::optional<leat::Peer> peer;
  if (!next.empty()) {
    peer = reach(next);
    if (!peer) return 1;
  }
  leat::Server server;
  if (!server.add(std::make_shared<Hop>(peer ? peer->caller() : nullptr)).ok()) return 1;
  const leat::Result<std::string> listening = server.listen(url);
  if (!listening) return 1;
  fmt::print("{{\"url\": \"{}\"}}\n", *listening);
  std::fflush(stdout);
  server.wait();
  return 0;
}

/// The top: `timeout` bounds its call, or it cancels after `cancel` (milliseconds, 0: never).
int call(const std::string& next, int timeout, int cancel) {
  const std::optional<leat::Peer> peer = reach(next);
  if (!peer) return 1;
  leat::CallOptions options;
  const Clock::time_point began = Clock::now();
  if (timeout > 0) options.timeout = std::chrono::milliseconds(timeout);
  auto held = peer->caller()->start(kHold, encode(Wait{}), options);
  if (!held) return 1;
  if (timeout > 0) log("deadline", began + std::chrono::milliseconds(timeout));
  const Clock::time_point give_up = began + std::chrono::milliseconds(cancel);
  while (!(*held)->ended()) {
    const Clock::time_point at = Clock::now();
    log("step", at);
    if (cancel > 0 && at >= give_up) {
      log("cancel", Clock::now());
      (*held)->cancel();
    } else {
      std::this_thread::sleep_for(kStep);
    }
  }
  log("left", Clock::now(), leat::code_name((*held)->finish().code()));
  return 0;
}

}  // namespace
}  // namespace chain

int main(int argc, char** argv) {
  CLI::App app("A process of the chain tests");
  std::string listen;
  std::string next;
  int timeout = 0;
  int cancel = 0;
  app.add_option("--listen", listen, "serves here; without it this is the top");
  app.add_option("--next", next, "whom to call");
  app.add_option("--timeout", timeout, "of the top's call, in milliseconds");
  app.add_option("--cancel", cancel, "when the top cancels, in milliseconds");
  CLI11_PARSE(app, argc, argv);
  return listen.empty() ? chain::call(next, timeout, cancel) : chain::serve(listen, next);
}
