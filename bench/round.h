// What every contestant's client does in a round: call for a while, check each answer, say what it took. The
// times of the calls go into a file as they are; histogram.py makes quantiles of them.
#pragma once

#include <atomic>
#include <chrono>
#include <ctime>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "options.h"
#include "pattern.h"

namespace bench {

using Clock = std::chrono::steady_clock;

inline double cpu_seconds() noexcept {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

inline Clock::duration to_duration(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

/// Nanoseconds of each call, for the histogram; does nothing without a path.
inline bool write_samples(const std::string& path, const std::vector<std::uint64_t>& took) {
  if (path.empty()) return true;
  std::FILE* file = std::fopen(path.c_str(), "wb");
  bool whole = file != nullptr && std::fwrite(took.data(), sizeof took[0], took.size(), file) == took.size();
  if (file != nullptr) whole = std::fclose(file) == 0 && whole;
  if (!whole) fmt::print(stderr, "{}: could not be written\n", path);
  return whole;
}

/// The clock of a round and what it has measured. A slot is one call after another; several slots may be in
/// use at once, each by one thread at a time.
class Round {
 public:
  explicit Round(const Options& options, std::size_t slots = 1) : options_(options), slots_(slots) {
    for (Slot& slot : slots_) slot.took.reserve((std::size_t{1} << 20U) / slots);
    start_ = Clock::now() + to_duration(options.calls == 0 ? options.warm_up : 0);
    if (options.calls > 0 || options.warm_up <= 0) begin(Clock::now());
  }

  /// A call that began at `began` has ended rightly. True if there should be another.
  bool done(std::size_t slot, Clock::time_point began) { return done(slot, began, Clock::now()); }
  bool done(std::size_t slot, Clock::time_point began, Clock::time_point now) {
    if (options_.calls > 0) {
      keep(slot, now - began);
      return ended_.fetch_add(1, std::memory_order_relaxed) + 1 < options_.calls;
    }
    if (now < start_) return true;
    if (!begun_.load(std::memory_order_relaxed)) begin(now);
    // A slot keeps what it began after the warm-up, and at least one call however long that takes.
    if (began >= start_) keep(slot, now - began);
    return now < end_.load(std::memory_order_relaxed) || slots_[slot].took.empty();
  }
  /// An item of a stream has come (or gone); its own time says nothing, so that only the number is kept.
  bool item() {
    ++items_;
    if (options_.calls > 0) return std::cmp_less(items_, options_.calls);
    if (items_ % 64 != 0 && options_.size < 4096) return true;
    const auto now = Clock::now();
    if (now < start_) return true;
    if (!begun_.load(std::memory_order_relaxed)) {
      begin(now);
      items_before_ = items_;
    }
    return now < end_.load(std::memory_order_relaxed);
  }

  /// Prints the round; the exit code. `bytes`: moved by one call, 0 if that is not what it is about.
  [[nodiscard]] int finish(std::uint64_t bytes = 0) const {
    const double elapsed = std::chrono::duration<double>(Clock::now() - begun_at_).count();
    const double cpu = cpu_seconds() - cpu_before_;
    std::vector<std::uint64_t> all;
    for (const Slot& slot : slots_) all.insert(all.end(), slot.took.begin(), slot.took.end());
    const std::uint64_t calls = all.empty() ? items_ - items_before_ : all.size();
    if (calls == 0) {
      fmt::print(stderr, "nothing was measured\n");
      return 1;
    }
    if (!all.empty() && !write_samples(options_.samples, all)) return 1;
    fmt::print(R"({{"calls": {}, "seconds": {}, "bytes": {}, "cpu_per_call": {}}})"
               "\n",
               calls, elapsed, bytes * calls, cpu / static_cast<double>(calls));
    return 0;
  }

 private:
  struct alignas(64) Slot {
    std::vector<std::uint64_t> took;  // nanoseconds
  };

  void begin(Clock::time_point now) {
    const std::lock_guard lock(begin_);
    if (begun_) return;
    begun_at_ = now;
    cpu_before_ = cpu_seconds();
    end_ = now + to_duration(options_.seconds);
    begun_ = true;
  }
  void keep(std::size_t slot, Clock::duration took) {
    slots_[slot].took.push_back(static_cast<std::uint64_t>(took.count()));
  }

  const Options& options_;
  std::vector<Slot> slots_;
  Clock::time_point start_;  // from here on calls count
  Clock::time_point begun_at_;
  std::atomic<Clock::time_point> end_{Clock::time_point::max()};
  std::mutex begin_;
  double cpu_before_ = 0;
  std::atomic<bool> begun_{false};
  std::atomic<std::int64_t> ended_{0};
  std::uint64_t items_ = 0;
  std::uint64_t items_before_ = 0;
};

template <class Number>
int wrong_answer(Number number) {
  fmt::print(stderr, "call {} was answered wrongly\n", number);
  return 1;
}

/// One call after another. `call(n)` makes call n and is true if its answer was right. Returns the exit code.
template <class Call>
int measure(const Options& options, Call call, std::uint64_t bytes = 0) {
  Round round(options);
  auto before = Clock::now();
  for (std::uint64_t number = 0;; ++number) {
    if (!call(number)) return wrong_answer(number);
    const auto now = Clock::now();
    if (!round.done(0, before, now)) return round.finish(bytes);
    before = now;
  }
}

/// Calls under way at once, each in a slot. Different slots may be used by different threads.
class Window {
 public:
  explicit Window(const Options& options) : round_(options, options.outstanding) {
    for (std::size_t i = 0; i < options.outstanding; ++i) slots_.emplace_back(options.size, i);
  }
  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
  /// The next request of a slot, valid until the one after; its time starts now.
  std::span<const std::byte> request(std::size_t slot) {
    Slot& it = slots_[slot];
    it.began = Clock::now();
    it.number += slots_.size();
    return it.pattern.request(it.number);
  }
  /// Its answer has come. True if the slot should make another call.
  bool done(std::size_t slot, std::span<const std::byte> answer) {
    Slot& it = slots_[slot];
    if (!it.pattern.matches(answer)) {
      wrong_ = static_cast<std::int64_t>(it.number);
      return false;
    }
    return round_.done(slot, it.began) && wrong_ < 0;
  }
  /// Once no slot makes another call. Returns the exit code.
  int finish() { return wrong_ < 0 ? round_.finish() : wrong_answer(wrong_.load()); }

 private:
  struct Slot {
    Slot(std::size_t size, std::size_t index) : pattern(size), number(index) {}
    Pattern pattern;
    std::uint64_t number;
    Clock::time_point began;
  };
  std::vector<Slot> slots_;
  Round round_;
  std::atomic<std::int64_t> wrong_{-1};
};

/// `start(slot, request)` begins a call, `collect(slot)` waits for the answer of the one begun longest ago
/// and gives something that converts to its bytes.
template <class Start, class Collect>
int measure_window(const Options& options, Start start, Collect collect) {
  Window window(options);
  for (std::size_t i = 0; i < window.size(); ++i) start(i, window.request(i));
  std::vector<bool> ended(window.size());
  for (std::size_t left = window.size(), i = 0; left > 0; i = (i + 1) % window.size()) {
    if (ended[i]) continue;
    const auto answer = collect(i);
    if (window.done(i, answer)) {
      start(i, window.request(i));
    } else {
      ended[i] = true;
      --left;
    }
  }
  return window.finish();
}

/// As many threads as `outstanding` says. `make(thread)` gives what thread calls with: it takes a request and
/// gives something that converts to the answer's bytes.
template <class Make>
int measure_threads(const Options& options, Make make) {
  Window window(options);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < window.size(); ++i) {
    threads.emplace_back([&, i] {
      auto call = make(i);
      while (window.done(i, call(window.request(i)))) {
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return window.finish();
}

/// Items of a stream. `next(n)` moves item n and is true if it was right; `end()` waits until the other side
/// has all, and is true if it says so.
template <class Next, class End>
int measure_items(const Options& options, Next next, End end) {
  Round round(options);
  std::uint64_t number = 0;
  do {
    if (!next(number)) return wrong_answer(number);
    ++number;
  } while (round.item());
  if (!end(number)) return wrong_answer(number);
  return round.finish(options.size);
}

}  // namespace bench
