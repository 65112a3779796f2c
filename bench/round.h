// What every contestant's client does in a round: call for a while, check each answer, print what it took.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

namespace bench {

using Clock = std::chrono::steady_clock;

/// How a program is called; the same for all.
struct Options {
  bool server = false;
  std::string address;      ///< where to listen, or what to connect to
  std::size_t size = 64;    ///< bytes of a request and of its answer
  double warm_up = 0.1;     ///< seconds
  double seconds = 0.5;     ///< of measuring
  std::int64_t calls = 0;   ///< instead of seconds: exactly so many, after no warm-up (for profilers)
  std::int64_t wrong = -1;  ///< server: the answer with this number is spoilt, for the test of the check
};

inline Options parse(int argc, char** argv, const char* what, const std::string& listen) {
  CLI::App app(what);
  Options options;
  options.address = listen;
  app.require_subcommand(1);
  CLI::App* server = app.add_subcommand("server", "answers until it is killed; prints its address");
  server->add_option("--listen", options.address)->capture_default_str();
  server->add_option("--wrong", options.wrong, "spoil the answer with this number");
  CLI::App* client = app.add_subcommand("client", "measures one round");
  client->add_option("address", options.address)->required();
  client->add_option("--warm-up", options.warm_up, "seconds")->capture_default_str();
  client->add_option("--seconds", options.seconds)->capture_default_str();
  client->add_option("--calls", options.calls, "so many calls and no warm-up");
  for (CLI::App* command : {server, client})
    command->add_option("--size", options.size)->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error));
  }
  options.server = server->parsed();
  return options;
}

/// Prints the address that clients connect to; run.py waits for this line.
inline void announce(const std::string& address) {
  fmt::print("{}\n", address);
  std::fflush(stdout);
}

/// Bytes that differ from call to call, so that no stale answer passes for a right one.
class Pattern {
 public:
  explicit Pattern(std::size_t size) : bytes_(std::max(size, sizeof(std::uint64_t))) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<std::byte>(i * 131 + 7);
  }
  std::span<const std::byte> request(std::uint64_t call) noexcept {
    std::memcpy(bytes_.data(), &call, sizeof call);
    return bytes_;
  }
  [[nodiscard]] bool matches(std::span<const std::byte> answer) const noexcept {
    return answer.size() == bytes_.size() && std::memcmp(answer.data(), bytes_.data(), bytes_.size()) == 0;
  }

 private:
  std::vector<std::byte> bytes_;
};

inline double cpu_seconds() noexcept {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// Calls until time is up. `call(n)` makes call n and is true if its answer was right. Returns the exit code.
template <class Call>
int measure(const Options& options, Call&& call) {
  const auto seconds = [](double value) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(value));
  };
  std::uint64_t number = 0;
  const auto wrong = [&number] {
    fmt::print(stderr, "call {} was answered wrongly\n", number - 1);
    return 1;
  };
  if (options.calls == 0) {
    for (const auto end = Clock::now() + seconds(options.warm_up); Clock::now() < end;) {
      if (!call(number++)) return wrong();
    }
  }
  std::vector<std::uint32_t> took;  // nanoseconds
  took.reserve(1U << 20U);
  const double cpu_before = cpu_seconds();
  const auto start = Clock::now();
  const auto end = start + seconds(options.seconds);
  auto before = start;
  while (options.calls == 0 ? before < end : std::cmp_less(number, options.calls)) {
    if (!call(number++)) return wrong();
    const auto now = Clock::now();
    took.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>((now - before).count(), UINT32_MAX)));
    before = now;
  }
  const double elapsed = std::chrono::duration<double>(before - start).count();
  const double cpu = cpu_seconds() - cpu_before;
  if (took.empty()) return 1;
  std::ranges::sort(took);
  const auto quantile = [&took](double q) {
    return static_cast<double>(took[static_cast<std::size_t>(q * static_cast<double>(took.size() - 1))]) *
           1e-9;
  };
  const auto count = static_cast<double>(took.size());
  fmt::print(
      R"({{"calls": {}, "seconds": {}, "mean": {}, "p50": {}, "p99": {}, "p999": {}, "cpu_per_call": {}}})"
      "\n",
      took.size(), elapsed, elapsed / count, quantile(0.5), quantile(0.99), quantile(0.999), cpu / count);
  return 0;
}

}  // namespace bench
