// A server or a client that a test drives: one command a line on standard input, one line of JSON for each on
// standard output. peer.py is the same program in Python.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>
#include <zlib.h>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <leat/peer.h>
#include <leat/server.h>

#include "behaviours.h"
#include "interop.leat.h"

namespace interop {
namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

void answer(const std::string& json) {
  fmt::print("{}\n", json);
  std::fflush(stdout);
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

void log(leat::LogLevel level, std::string_view text) {
  constexpr std::array<const char*, 4> kNames = {"DEBUG", "INFO", "WARNING", "ERROR"};
  fmt::print(stderr, "{}: {}\n", kNames.at(static_cast<std::size_t>(level)), text);
  std::fflush(stderr);
}

/// Number i of every sequence that the two languages compare.
std::uint64_t mix(std::uint64_t seed, std::uint64_t i) { return (seed + i) * 0x9E3779B97F4A7C15U; }

std::uint32_t crc_of(leat::Bytes bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

Array make_array(std::uint64_t rows, std::uint64_t columns, std::uint64_t seed) {
  leat::Tensor values = leat::Tensor::allocate(
      leat::DType::kUInt16, {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
  const std::span<std::byte> bytes = values.mutable_data();
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint64_t)) {
    const std::uint64_t word = mix(seed, at / sizeof word);
    std::memcpy(bytes.data() + at, &word, std::min(sizeof word, bytes.size() - at));
  }
  const std::uint32_t crc = crc_of(values.data());
  return {.crc = crc, .values = std::move(values)};
}

class Serving final : public InteropService {
 public:
  leat::Result<AddReply> add(leat::Context& /*context*/, AddRequestView request) override {
    return AddReply{.sum = request.a() + request.b(), .text = std::string(request.text())};
  }

  leat::Status count(leat::Context& /*context*/, CountRequestView request, leat::Writer<Item>& out) override {
    for (std::uint64_t i = 0; i < request.count(); ++i) {
      leat::Status sent = out.write({.index = i, .value = mix(request.seed(), i), .text = std::to_string(i)});
      if (!sent.ok()) return sent;
    }
    return {};
  }

  leat::Result<Checksum> put(leat::Context& /*context*/, ArrayView request) override {
    const leat::Tensor values = request.values();
    return Checksum{.crc = crc_of(values.data()), .bytes = values.data().size()};
  }

  leat::Result<Checksum> prepare(leat::Context& /*context*/, PrepareRequestView request) override {
    const std::lock_guard lock(mutex_);
    array_ = {};  // before the next one is made
    array_ = make_array(request.rows(), request.columns(), request.seed());
    return Checksum{.crc = array_.crc, .bytes = array_.values->data().size()};
  }

  leat::Result<Array> get(leat::Context& /*context*/, NothingView /*request*/) override {
    const std::lock_guard lock(mutex_);
    if (!array_.values) return leat::failure(leat::Code::kFailedPrecondition, "call Prepare before Get");
    return array_;
  }

  leat::Result<Nothing> drop(leat::Context& /*context*/, NothingView /*request*/) override {
    const std::lock_guard lock(mutex_);
    array_ = {};
    return Nothing{};
  }

  leat::Result<Nothing> hang(leat::Context& context, NothingView /*request*/) override {
    while (!context.cancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return Nothing{};
  }

  leat::Result<Nothing> fail(leat::Context& /*context*/, NothingView /*request*/) override {
    throw std::runtime_error("the shutter is stuck");
  }

 private:
  std::mutex mutex_;
  Array array_;
};

using Words = std::istringstream;

int serve(const std::vector<std::string>& urls) {
  leat::ServerOptions options;
  options.logger = log;
  if (const char* timeout = std::getenv("INTEROP_ASSEMBLY_TIMEOUT_MS")) {
    options.limits.assembly_timeout = std::chrono::milliseconds(std::atoi(timeout));
  }
  leat::Server server(options);
  const behaviours::Serving behaviours = behaviours::make_service();
  for (const std::shared_ptr<leat::Service>& service :
       {std::shared_ptr<leat::Service>(std::make_shared<Serving>()), behaviours.service}) {
    if (leat::Status added = server.add(service); !added.ok()) {
      fmt::print(stderr, "{}\n", added.to_string());
      return 1;
    }
  }
  std::vector<std::string> listening;
  for (const std::string& url : urls) {
    leat::Result<std::string> resolved = server.listen(url);
    if (!resolved) {
      fmt::print(stderr, "{}\n", resolved.error().to_string());
      return 1;
    }
    listening.push_back(json_text(*resolved));
  }
  answer(fmt::format("[{}]", fmt::join(listening, ", ")));
  for (std::string line; std::getline(std::cin, line);) {
    if (line == "running") {
      answer(fmt::format(R"({{"running": {}}})", behaviours.running()));
      continue;
    }
    if (line != "stats") return 2;
    const leat::ServerStats stats = server.stats();
    answer(fmt::format(R"({{"connections": {}, "connections_accepted": {}, "connections_refused": {}, )"
                       R"("calls": {}, "calls_failed": {}}})",
                       stats.connections, stats.connections_accepted, stats.connections_refused, stats.calls,
                       stats.calls_failed));
  }
  return 0;
}

class Driven {
 public:
  explicit Driven(const leat::Peer& peer) : peer_(peer), service_(peer.service<Interop>()) {}

  /// The answer's fields, or what was wrong.
  leat::Result<std::string> run(const std::string& verb, Words& words) {
    if (verb == "unary") return unary(number(words));
    if (verb == "stream") return stream(number(words));
    if (verb == "prepare") return prepare(words);
    if (verb == "put") return put();
    if (verb == "drop") return drop();
    if (verb == "prepare_server") return prepare_server(words);
    if (verb == "get") return get();
    if (verb == "drop_server") return drop_server();
    if (verb == "fail") return fail();
    if (verb == "pending") return pending(number(words));
    if (verb == "behaviour") return behaviour(words);
    return leat::failure(leat::Code::kInvalidArgument, "no such command: " + verb);
  }

 private:
  static std::uint64_t number(Words& words) {
    std::uint64_t value = 0;
    words >> value;
    return value;
  }
  static leat::Result<std::string> wrong(std::string what) {
    return leat::failure(leat::Code::kDataLoss, std::move(what));
  }

  leat::Result<std::string> unary(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto a = static_cast<std::int64_t>(i);
      const std::string text = "call " + std::to_string(i);
      const auto reply = service_.add({.a = a, .b = -2 * a, .text = text});
      if (!reply) return leat::failure(reply.error());
      if ((*reply)->sum() != -a || (*reply)->text() != text) return wrong(fmt::format("call {}", i));
    }
    return "";
  }

  leat::Result<std::string> stream(std::uint64_t count) {
    auto items = service_.count({.count = count, .seed = 5});
    std::uint64_t next = 0;
    for (const auto& item : items) {
      if (item->index() != next || item->value() != mix(5, next) || item->text() != std::to_string(next)) {
        return wrong(fmt::format("item {} came as {} ({})", next, item->index(), item->text()));
      }
      ++next;
    }
    if (leat::Status status = items.finish(); !status.ok()) return leat::failure(status);
    if (next != count) return wrong(fmt::format("{} of {} items came", next, count));
    return "";
  }

  leat::Result<std::string> prepare(Words& words) {
    const std::uint64_t rows = number(words);
    const std::uint64_t columns = number(words);
    array_ = make_array(rows, columns, number(words));
    return "";
  }

  leat::Result<std::string> put() {
    const auto checksum = service_.put(array_);
    if (!checksum) return leat::failure(checksum.error());
    if ((*checksum)->crc() != array_.crc || (*checksum)->bytes() != array_.values->data().size()) {
      return wrong(fmt::format("{} bytes, crc {}", (*checksum)->bytes(), (*checksum)->crc()));
    }
    return "";
  }

  leat::Result<std::string> drop() {
    array_ = {};
    return "";
  }

  leat::Result<std::string> prepare_server(Words& words) {
    const std::uint64_t rows = number(words);
    const std::uint64_t columns = number(words);
    const auto checksum = service_.prepare({.rows = rows, .columns = columns, .seed = number(words)});
    if (!checksum) return leat::failure(checksum.error());
    expected_ = {.crc = (*checksum)->crc(), .bytes = (*checksum)->bytes()};
    return "";
  }

  leat::Result<std::string> get() {
    const auto array = service_.get();
    if (!array) return leat::failure(array.error());
    const leat::Tensor values = (*array)->values();
    const std::uint32_t crc = crc_of(values.data());
    if (crc != expected_.crc || crc != (*array)->crc() || values.data().size() != expected_.bytes) {
      return wrong(fmt::format("{} bytes, crc {}", values.data().size(), crc));
    }
    return "";
  }

  leat::Result<std::string> drop_server() {
    const auto reply = service_.drop();
    if (!reply) return leat::failure(reply.error());
    return "";
  }

  leat::Result<std::string> fail() {
    const auto reply = service_.fail();
    if (reply) return wrong("Fail did not fail");
    return fmt::format(R"("error": {})", json_text(reply.error().to_string()));
  }

  /// Many calls that wait, every other one with a deadline; says so, and how each ended.
  leat::Result<std::string> pending(std::uint64_t count) {
    std::mutex mutex;
    std::map<std::string, int> codes;
    std::string example;
    Clock::time_point last;
    std::atomic<std::uint64_t> begun{0};
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        leat::CallOptions options;
        if (i % 2 == 1) options.timeout = std::chrono::seconds(60);
        ++begun;
        const auto reply = service_.hang({}, options);
        const std::lock_guard lock(mutex);
        ++codes[reply ? "ok" : std::string(leat::code_name(reply.error().code()))];
        if (!reply) example = reply.error().to_string();
        last = Clock::now();
      });
    }
    while (begun < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    answer("{}");
    for (std::thread& thread : threads) thread.join();
    std::vector<std::string> counts;
    for (const auto& [code, times] : codes) counts.push_back(fmt::format("{}: {}", json_text(code), times));
    return fmt::format(R"("codes": {{{}}}, "last": {}, "example": {})", fmt::join(counts, ", "),
                       seconds(last.time_since_epoch()), json_text(example));
  }

  leat::Result<std::string> behaviour(Words& words) {
    std::string name;
    words >> name;
    std::string what = behaviours::run_case(peer_, name);
    if (!what.empty()) return wrong(name + ": " + what);
    return "";
  }

  const leat::Peer& peer_;
  Interop service_;
  Array array_;
  Checksum expected_;
};

int run_client(const std::string& url) {
  const auto began = Clock::now();
  const leat::Result<leat::Peer> peer = leat::connect(url);
  if (!peer) {
    answer(fmt::format(R"({{"error": {}, "seconds": {}}})", json_text(peer.error().to_string()),
                       seconds(Clock::now() - began)));
    return 1;
  }
  answer(fmt::format(R"({{"transport": {}}})", json_text(peer->transport())));
  Driven driven(*peer);
  for (std::string line; std::getline(std::cin, line);) {
    Words words(line);
    std::string verb;
    words >> verb;
    const auto start = Clock::now();
    const leat::Result<std::string> fields = driven.run(verb, words);
    const std::string took = fmt::format(R"("seconds": {})", seconds(Clock::now() - start));
    if (!fields) {
      answer(fmt::format(R"({{"wrong": {}, {}}})", json_text(fields.error().to_string()), took));
    } else {
      answer(fmt::format("{{{}{}{}}}", *fields, fields->empty() ? "" : ", ", took));
    }
  }
  return 0;
}

}  // namespace
}  // namespace interop

int main(int argc, char** argv) {
  CLI::App app("A peer for the interop tests");
  app.require_subcommand(1);
  std::vector<std::string> urls;
  CLI::App* server = app.add_subcommand("server", "serves; prints its URLs");
  server->add_option("url", urls)->required();
  CLI::App* client = app.add_subcommand("client", "connects and does as it is told");
  client->add_option("url", urls)->required()->expected(1);
  CLI11_PARSE(app, argc, argv);
  return server->parsed() ? interop::serve(urls) : interop::run_client(urls.front());
}
