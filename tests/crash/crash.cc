// A server that is there to be killed, and a client that goes on calling it: one command a line on standard
// input, one line of JSON for each on standard output. crash.py is the same program in Python.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fcntl.h>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <leat/peer.h>
#include <leat/server.h>

#include "crash.leat.h"

namespace crash {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

void answer(const std::string& json) {
  fmt::print("{}\n", json);
  std::fflush(stdout);
}

/// Lines that are in the file, whatever happens to this process next, once add() has returned.
class Journal {
 public:
  explicit Journal(const std::string& path)
      : file_(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) {}
  ~Journal() { ::close(file_); }
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  bool add(const std::string& line) const {
    return ::write(file_, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  }

 private:
  int file_;
};

class Serving final : public CrashService {
 public:
  explicit Serving(const std::string& path) : journal_(path) {}
  leat::Result<Done> work(leat::Context& /*context*/, JobView job) override { return run('w', job.id()); }
  leat::Result<Done> look(leat::Context& /*context*/, JobView job) override { return run('l', job.id()); }
  leat::Result<Done> hang(leat::Context& context, JobView job) override {
    while (!context.wait_for(std::chrono::seconds(1))) {
    }
    return Done{.id = job.id()};
  }

 private:
  leat::Result<Done> run(char kind, std::uint64_t id) {
    if (!journal_.add(fmt::format("{} {}\n", kind, id))) {
      return leat::failure(leat::Code::kDataLoss, "the journal can't be written");
    }
    std::this_thread::sleep_for(microseconds(id % 16 * 100));
    return Done{.id = id};
  }
  Journal journal_;
};

int serve(const std::string& url, const std::string& journal) {
  leat::Server server;
  if (leat::Status added = server.add(std::make_shared<Serving>(journal)); !added.ok()) return 1;
  const leat::Result<std::string> listening = server.listen(url);
  if (!listening) {
    fmt::print(stderr, "{}\n", listening.error().to_string());
    return 1;
  }
  answer(fmt::format("[\"{}\"]", *listening));
  server.wait();
  return 0;
}

/// How a call ended, in one word.
std::string word(const leat::Status& status) {
  if (status.ok()) return "ok";
  std::string code(leat::code_name(status.code()));
  if (status.not_started()) return code + "/not_started";
  return status.outcome_unknown() ? code + "/unknown" : code;
}

class Driven {
 public:
  Driven(leat::Peer& peer, const std::string& journal)
      : peer_(peer), service_(peer.service<Crash>()), journal_(journal) {}

  /// Many calls that wait, none of which has a thread; then how each ended, and when the last one did.
  void pending(std::size_t count) {
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t ends = 0;
    Clock::time_point last;
    std::vector<std::unique_ptr<leat::ClientCall>> calls;
    const leat::MethodRef hang{"crash.Crash", "Hang"};
    for (std::uint64_t i = 0; i < count; ++i) {
      auto call = peer_.caller()->start(hang, encode(Job{.id = i}), {});
      if (!call) return answer(R"({"wrong": "a call could not be started"})");
      (*call)->when(leat::Moment::kEnded, [&] {
        const std::lock_guard lock(mutex);
        ++ends;
        last = Clock::now();
        changed.notify_all();
      });
      calls.push_back(std::move(*call));
    }
    answer("{}");
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ends >= count; });
    std::map<std::string, int> how;
    for (const auto& call : calls) ++how[word(call->finish())];
    answer(fmt::format(R"({{"ends": {}, "how": {}, "last": {:.6f}}})", ends, as_json(how),
                       std::chrono::duration<double>(last.time_since_epoch()).count()));
  }

  /// One call, which waits for the connection to be there.
  void wait_ready() {
    leat::CallOptions options;
    options.wait_for_ready = true;
    options.timeout = std::chrono::seconds(20);
    const auto reply = service_.look({.id = ++next_}, options);
    answer(fmt::format(R"({{"how": "{}", "epoch": {}}})", word(reply ? leat::Status() : reply.error()),
                       peer_.epoch()));
  }

  /// Calls of both kinds from several threads until `stop` comes; how each ended goes to the journal.
  void begin(std::size_t threads) {
    stop_ = false;
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, i] { run(i % 2 == 0); });
    answer("{}");
  }
  void stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    const leat::PeerStats stats = peer_.stats();
    answer(fmt::format(R"({{"calls": {}, "in_flight": {}, "epoch": {}}})", next_.load(),
                       stats.calls_in_flight, peer_.epoch()));
  }

 private:
  static std::string as_json(const std::map<std::string, int>& counts) {
    std::vector<std::string> fields;
    for (const auto& [name, count] : counts) fields.push_back(fmt::format("\"{}\": {}", name, count));
    return fmt::format("{{{}}}", fmt::join(fields, ", "));
  }

  void run(bool patient) {
    leat::CallOptions options;
    options.wait_for_ready = patient;  // half of the threads take what comes
    options.timeout = std::chrono::seconds(20);
    while (!stop_) {
      const std::uint64_t id = ++next_;
      const bool twice = id % 2 == 0;
      const auto reply = twice ? service_.look({.id = id}, options) : service_.work({.id = id}, options);
      std::string how = word(reply ? leat::Status() : reply.error());
      if (reply && (*reply)->id() != id) how = "wrong";
      journal_.add(fmt::format("{} {} {}\n", twice ? 'l' : 'w', id, how));
      if (!reply) std::this_thread::sleep_for(milliseconds(2));
    }
  }

  leat::Peer& peer_;
  Crash service_;
  Journal journal_;
  std::atomic<std::uint64_t> next_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

int run_client(const std::string& url, const std::string& journal) {
  leat::Result<leat::Peer> peer = leat::connect(url);
  if (!peer) {
    fmt::print(stderr, "{}\n", peer.error().to_string());
    return 1;
  }
  answer("{}");
  Driven driven(*peer, journal);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    std::size_t number = 0;
    words >> verb >> number;
    if (verb == "pending") driven.pending(number);
    if (verb == "wait_ready") driven.wait_ready();
    if (verb == "begin") driven.begin(number);
    if (verb == "stop") driven.stop();
  }
  return 0;
}

}  // namespace
}  // namespace crash

int main(int argc, char** argv) {
  CLI::App app("A peer of the crash tests");
  std::string role;
  std::string url;
  std::string journal;
  app.add_option("role", role)->required()->check(CLI::IsMember({"server", "client"}));
  app.add_option("url", url)->required();
  app.add_option("journal", journal, "where the ids go")->required();
  CLI11_PARSE(app, argc, argv);
  return role == "server" ? crash::serve(url, journal) : crash::run_client(url, journal);
}
