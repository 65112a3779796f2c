#include "transport/inproc/inproc.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "transport/inproc/conduit.h"
#include "transport/link/address.h"

namespace leat::transport {
namespace {

constexpr std::string_view kScheme = "inproc";

/// What connects to one name: conduits that wait to be accepted.
struct Backlog {
  std::mutex mutex;
  std::condition_variable shrunk;
  std::deque<std::shared_ptr<Conduit>> waiting;
  Signal signal;
  std::size_t limit = 0;
  bool closed = false;
};

/// The names of one transport; outlives it while listeners do.
struct Registry {
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Backlog>, std::less<>> names;
};

class InprocLink final : public Link {
 public:
  InprocLink(std::shared_ptr<Conduit> conduit, int end, std::string remote) noexcept
      : conduit_(std::move(conduit)), end_(end), remote_(std::move(remote)) {}
  ~InprocLink() override { conduit_->close(end_); }

  [[nodiscard]] std::string_view scheme() const noexcept override { return kScheme; }
  [[nodiscard]] const std::string& remote() const noexcept override { return remote_; }
  [[nodiscard]] int descriptor() const noexcept override { return conduit_->descriptor(end_); }
  [[nodiscard]] bool wants_write() const noexcept override { return false; }  // an eventfd is always writable
  [[nodiscard]] bool pending() override { return false; }
  [[nodiscard]] std::size_t send_budget() const noexcept override { return conduit_->room(end_); }
  Result<std::size_t> send(std::span<const Slice> slices) override { return conduit_->send(end_, slices); }
  Result<std::size_t> receive(Receiver& receiver, std::size_t limit) override {
    return conduit_->receive(end_, receiver, limit);
  }
  void close() noexcept override { conduit_->close(end_); }

 private:
  std::shared_ptr<Conduit> conduit_;
  int end_;
  std::string remote_;
};

class InprocListener final : public Listener {
 public:
  InprocListener(std::shared_ptr<Registry> registry, std::shared_ptr<Backlog> backlog, std::string name)
      : registry_(std::move(registry)),
        backlog_(std::move(backlog)),
        name_(std::move(name)),
        url_(make_url(kScheme, name_)) {}
  ~InprocListener() override { shut(); }

  [[nodiscard]] const std::string& url() const noexcept override { return url_; }
  [[nodiscard]] int descriptor() const noexcept override { return backlog_->signal.descriptor(); }
  [[nodiscard]] bool pending() override { return false; }

  void service(ListenerEvents& events) override {
    std::deque<std::shared_ptr<Conduit>> waiting;
    {
      const std::lock_guard lock(backlog_->mutex);
      waiting.swap(backlog_->waiting);
      backlog_->signal.lower();
    }
    backlog_->shrunk.notify_all();
    for (std::shared_ptr<Conduit>& conduit : waiting) {
      events.accepted(std::make_unique<InprocLink>(std::move(conduit), 1, url_));
    }
  }

  void close() noexcept override { shut(); }

 private:
  void shut() noexcept {
    {
      const std::lock_guard lock(registry_->mutex);
      const auto found = registry_->names.find(name_);
      if (found != registry_->names.end() && found->second == backlog_) registry_->names.erase(found);
    }
    std::deque<std::shared_ptr<Conduit>> waiting;
    {
      const std::lock_guard lock(backlog_->mutex);
      backlog_->closed = true;
      waiting.swap(backlog_->waiting);
    }
    backlog_->shrunk.notify_all();
    for (const std::shared_ptr<Conduit>& conduit : waiting) conduit->close(1);
  }

  std::shared_ptr<Registry> registry_;
  std::shared_ptr<Backlog> backlog_;
  std::string name_;
  std::string url_;
};

std::unexpected<Status> nameless() {
  return failure(Code::kInvalidArgument,
                 make_url(kScheme, "") + ": the name is missing; for instance inproc://camera");
}

class InprocTransport final : public Transport {
 public:
  [[nodiscard]] std::string_view scheme() const noexcept override { return kScheme; }

  Result<std::unique_ptr<Link>> connect(std::string_view address, const ConnectLimits& limits) override {
    if (address.empty()) return nameless();
    const std::string url = make_url(kScheme, address);
    std::shared_ptr<Backlog> backlog;
    {
      const std::lock_guard lock(registry_->mutex);
      const auto found = registry_->names.find(address);
      if (found != registry_->names.end()) backlog = found->second;
    }
    if (!backlog) return nobody(url);
    auto conduit = Conduit::make();
    if (!conduit) return failure(connect_failure(url, conduit.error()));
    const TimePoint deadline = deadline_after(limits.timeout);
    std::unique_lock lock(backlog->mutex);
    while (!backlog->closed && backlog->waiting.size() >= backlog->limit) {
      if (limits.interrupted && limits.interrupted()) {
        return failure(Code::kCancelled, url + ": connecting was interrupted");
      }
      const TimePoint now = std::chrono::steady_clock::now();
      if (now >= deadline) return failure(connect_timeout(url, limits.timeout));
      backlog->shrunk.wait_until(lock, std::min(deadline, now + Duration(std::chrono::milliseconds(100))));
    }
    if (backlog->closed) return nobody(url);
    backlog->waiting.push_back(*conduit);
    backlog->signal.raise();
    lock.unlock();
    return std::make_unique<InprocLink>(std::move(*conduit), 0, url);
  }

  Result<std::unique_ptr<Listener>> listen(std::string_view address, const ListenLimits& limits) override {
    if (address.empty()) return nameless();
    const std::string url = make_url(kScheme, address);
    auto signal = Signal::make();
    if (!signal) return failure(listen_failure(url, signal.error()));
    auto backlog = std::make_shared<Backlog>();
    backlog->signal = std::move(*signal);
    backlog->limit = static_cast<std::size_t>(std::max(limits.backlog, 1));
    const std::lock_guard lock(registry_->mutex);
    if (!registry_->names.emplace(address, backlog).second) return failure(listen_failure(url, EADDRINUSE));
    return std::make_unique<InprocListener>(registry_, std::move(backlog), std::string(address));
  }

 private:
  static std::unexpected<Status> nobody(const std::string& url) {
    return failure(Code::kUnavailable,
                   url +
                       ": nothing listens there: is the server running? (inproc:// reaches only "
                       "servers in this process)");
  }

  std::shared_ptr<Registry> registry_ = std::make_shared<Registry>();
};

}  // namespace

std::unique_ptr<Transport> make_inproc_transport() { return std::make_unique<InprocTransport>(); }

}  // namespace leat::transport
