// What the contestants of the priority suites share: calls measured idle, bulk measured alone, then both at
// once.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "round.h"

namespace bench {

inline constexpr std::size_t kBulkItem = 1U << 20U;

[[nodiscard]] inline bool whole_item(std::span<const std::byte> item, std::uint64_t number) noexcept {
  return item.size() == kBulkItem && stamped(item, number);
}

struct Times {
  std::vector<std::uint64_t> took;  // nanoseconds
  double seconds = 0;
};

/// Calls for so long; `call(n)` is true if the answer was right. Empty if one was wrong.
inline Times time_calls(double seconds, const std::function<bool(std::uint64_t)>& call) {
  Times times;
  times.took.reserve(1U << 18U);
  static std::uint64_t number = 0;
  const auto start = Clock::now();
  auto before = start;
  while (std::chrono::duration<double>(before - start).count() < seconds) {
    if (!call(number++)) return {};
    const auto now = Clock::now();
    times.took.push_back(static_cast<std::uint64_t>((now - before).count()));
    before = now;
  }
  times.seconds = std::chrono::duration<double>(before - start).count();
  return times;
}

/// One round. `call` as above; `bulk(stop, bytes)` moves bulk until told to stop, counts the bytes that have
/// arrived in `bytes`, and is false if something was wrong.
inline int measure_priority(
    const Options& options, const std::function<bool(std::uint64_t)>& call,
    const std::function<bool(std::atomic<bool>&, std::atomic<std::uint64_t>&)>& bulk) {
  const auto fail = [](const char* what) {
    fmt::print(stderr, "{} was answered wrongly\n", what);
    return 1;
  };
  time_calls(options.warm_up, call);
  const Times idle = time_calls(options.seconds, call);
  if (idle.took.empty()) return fail("a call");

  const double cpu_before = cpu_seconds();
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> bytes{0};
  bool right = true;
  std::thread mover([&] { right = bulk(stop, bytes); });
  const auto sleep = [](double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  };
  const auto rate_of = [&bytes](const auto& what) {
    const std::uint64_t before = bytes;
    const auto start = Clock::now();
    what();
    return static_cast<double>(bytes - before) / std::chrono::duration<double>(Clock::now() - start).count();
  };
  sleep(options.warm_up);
  const double alone = rate_of([&] { sleep(options.seconds); });
  Times beside;
  const double shared = rate_of([&] { beside = time_calls(options.seconds, call); });
  stop = true;
  mover.join();
  if (!right) return fail("bulk");
  if (beside.took.empty()) return fail("a call beside bulk");
  const auto count = static_cast<double>(beside.took.size());
  if (!write_samples(options.samples, beside.took)) return 1;
  if (!options.samples.empty() && !write_samples(options.samples + ".idle", idle.took)) return 1;
  fmt::print(
      R"({{"calls": {}, "seconds": {}, "bytes": 0, "cpu_per_call": {}, "bulk_alone": {}, "bulk_beside": {}}})"
      "\n",
      beside.took.size(), beside.seconds, (cpu_seconds() - cpu_before) / count, alone, shared);
  return 0;
}

}  // namespace bench
