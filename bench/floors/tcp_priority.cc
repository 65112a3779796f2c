// What priorities are for: the same calls and the same bulk over one TCP connection with one queue, first
// come, first served. A frame is a u64 with its length and a u64 with its number; length 64 is a call,
// anything else bulk.
#include <condition_variable>
#include <deque>

#include "floors/socket.h"
#include "priority.h"

namespace {

using bench::Options;

struct Frame {
  std::uint64_t size = 0;
  std::uint64_t number = 0;
};

using bench::writable_bytes;

/// Calls are answered with their bytes, bulk items with an empty frame once they are here whole.
void answer(int fd, std::int64_t wrong) {
  std::vector<std::byte> body(bench::kBulkItem);
  for (std::int64_t answers = 0;;) {
    Frame frame;
    if (!bench::receive_all(fd, writable_bytes(frame)) || frame.size > body.size() ||
        !bench::receive_all(fd, std::span(body).first(frame.size))) {
      return;
    }
    const bool bulk = frame.size == bench::kBulkItem;
    if (bulk && !bench::whole_item(body, frame.number)) return;
    if (!bulk && answers++ == wrong) body[frame.size - 1] ^= std::byte{1};
    Frame reply{bulk ? 0 : frame.size, frame.number};
    if (!bench::send_all(fd, writable_bytes(reply)) ||
        !bench::send_all(fd, std::span(body).first(reply.size))) {
      return;
    }
  }
}

int serve(const Options& options) {
  std::string address = options.address;
  const int listener = bench::listen_at(address);
  if (listener < 0) return 1;
  bench::announce(address);
  for (;;) {
    const int fd = bench::accept_at(listener);
    if (fd < 0) return 1;
    answer(fd, options.wrong);
    close(fd);
  }
}

/// One connection, one queue, a thread that writes and one that reads.
class Connection {
 public:
  explicit Connection(int fd) : fd_(fd), writer_([this] { write(); }), reader_([this] { read(); }) {}
  ~Connection() {
    push({{}, {}, true});
    writer_.join();
    shutdown(fd_, SHUT_RDWR);
    reader_.join();
    close(fd_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool call(std::uint64_t number, std::span<const std::byte> request, std::vector<std::byte>& reply) {
    push({{request.size(), number}, {request.begin(), request.end()}, false});
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return lost_ || replied_; });
    replied_ = false;
    reply = reply_;
    return !lost_;
  }
  /// Waits while four items are under way.
  bool put(std::uint64_t number, std::vector<std::byte> item) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return lost_ || under_way_ < 4; });
      if (lost_) return false;
      ++under_way_;
    }
    push({{item.size(), number}, std::move(item), false});
    return true;
  }
  void drain() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return lost_ || under_way_ == 0; });
  }

 private:
  struct Item {
    Frame frame;
    std::vector<std::byte> body;
    bool last = false;
  };
  void push(Item item) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(item));
    changed_.notify_all();
  }
  void write() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return !queue_.empty(); });
      Item item = std::move(queue_.front());
      queue_.pop_front();
      if (item.last) return;
      lock.unlock();
      const bool sent = bench::send_all(fd_, writable_bytes(item.frame)) && bench::send_all(fd_, item.body);
      lock.lock();
      if (!sent) lost_ = true;
    }
  }
  void read() {
    std::vector<std::byte> body;
    for (;;) {
      Frame frame;
      bool here = bench::receive_all(fd_, writable_bytes(frame));
      body.resize(frame.size);
      here = here && bench::receive_all(fd_, body);
      const std::lock_guard lock(mutex_);
      if (!here) {
        lost_ = true;
      } else if (frame.size == 0) {
        --under_way_;
      } else {
        reply_ = body;
        replied_ = true;
      }
      changed_.notify_all();
      if (!here) return;
    }
  }

  const int fd_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Item> queue_;
  std::vector<std::byte> reply_;
  bool replied_ = false;
  bool lost_ = false;
  int under_way_ = 0;
  std::thread writer_;
  std::thread reader_;
};

int run_client(const Options& options) {
  const int fd = bench::connect_to(options.address);
  if (fd < 0) return 1;
  Connection connection(fd);
  bench::Pattern pattern(options.size);
  std::vector<std::byte> reply;
  return bench::measure_priority(
      options,
      [&](std::uint64_t number) {
        return connection.call(number, pattern.request(number), reply) && pattern.matches(reply);
      },
      [&](std::atomic<bool>& stop, std::atomic<std::uint64_t>& bytes) {
        for (std::uint64_t number = 0; !stop; ++number) {
          std::vector<std::byte> item(bench::kBulkItem);
          bench::stamp(item, number);
          if (!connection.put(number, std::move(item))) return false;
          bytes += bench::kBulkItem;
        }
        connection.drain();
        return true;
      });
}

}  // namespace

int main(int argc, char** argv) {
  const Options options =
      bench::parse(argc, argv, "Calls beside bulk in one queue over raw TCP", "127.0.0.1:0");
  return options.server ? serve(options) : run_client(options);
}
