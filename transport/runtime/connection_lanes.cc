// The links under a connection: who watches them, and how a second one comes and goes.
#include <utility>

#include "transport/runtime/clock.h"
#include "transport/runtime/connection.h"
#include "transport/runtime/keeper.h"

namespace leat::transport {

/// The second lane as a reactor sees it.
class Connection::BulkSource final : public Source {
 public:
  BulkSource(std::shared_ptr<Connection> connection, LaneEnd& lane)
      : connection_(std::move(connection)), lane_(lane) {}
  [[nodiscard]] int descriptor() const noexcept override { return lane_.descriptor(); }
  [[nodiscard]] bool wants_write() noexcept override {
    return lane_.published_write.load(std::memory_order_relaxed);
  }
  // The connection itself is asked for both lanes.
  [[nodiscard]] bool pending() noexcept override { return false; }
  [[nodiscard]] bool asks() const noexcept override { return false; }
  [[nodiscard]] TimePoint next_timeout() noexcept override { return kNever; }
  void service(TimePoint at) override { connection_->service_lanes(at, kBulkLane); }

 private:
  std::shared_ptr<Connection> connection_;
  LaneEnd& lane_;
};

void Connection::watch(Reactor& reactor) {
  bool out_of_descriptors = false;
  {
    const Lock lock(mutex_);
    reactor_ = &reactor;
    register_with(reactor);
    out_of_descriptors = main_.source_id == 0;
  }
  if (out_of_descriptors) close(Code::kResourceExhausted, "the process is out of file descriptors");
}

Reactor* Connection::watching() const noexcept { return adopted_ ? &keeper_->reactor() : reactor_; }

void Connection::register_with(Reactor& reactor) {
  main_.source_id = reactor.add(shared_from_this());
  if (bulk_ && !bulk_->closed()) {
    bulk_->source_id = reactor.add(std::make_shared<BulkSource>(shared_from_this(), *bulk_));
  }
}

/// The reactor lets go of a descriptor before it is closed: its number may be another connection's a moment
/// later.
void Connection::unregister(LaneEnd& lane) {
  const Reactor::SourceId id = lane.source_id.exchange(0);
  Reactor* const reactor = watching();
  if (reactor != nullptr && id != 0) reactor->remove(id);
}

void Connection::take_from_keeper() {
  if (!adopted_) return;
  unregister(main_);
  if (bulk_) unregister(*bulk_);
  adopted_ = false;
}

void Connection::take_back() {
  constexpr unsigned kOften = 16;
  if (armed_ > 0 || ++found_here_ < kOften) return;
  found_here_ = 0;
  take_from_keeper();
  last_driven_ = real_now();
  if (std::exchange(on_keeper_list_, true)) return;
  keeper_->note(weak_from_this());
}

void Connection::close_links() {
  if (std::exchange(links_closed_, true)) return;
  unregister(main_);
  if (bulk_) unregister(*bulk_);
  adopted_ = false;
  main_.close();
  if (bulk_) bulk_->close();
  if (early_lane_) early_lane_->close();
}

bool Connection::add_lane(std::unique_ptr<Link> link) {
  Lock lock(mutex_);
  now_ = now();
  if (!links_closed_ && !calls_.session().ready() && !calls_.session().closed() && !early_lane_) {
    // It has overtaken the last frame of the handshake, which is on the other link.
    early_lane_ = std::move(link);
    return true;
  }
  if (links_closed_ || bulk_ || !calls_.session().add_lane(now_).ok()) {
    lock.unlock();
    link->close();
    return false;
  }
  bulk_ = std::make_unique<LaneEnd>(Lane::kBulk, std::move(link), calls_.session());
  if (Reactor* const reactor = watching(); reactor != nullptr && main_.source_id != 0) {
    bulk_->source_id = reactor->add(std::make_shared<BulkSource>(shared_from_this(), *bulk_));
  }
  ring_drivers();  // they poll the first one only
  send_queued(now_);
  publish_interest();
  run_tasks(lock);
  return true;
}

void Connection::lane_refused(Status why) {
  Lock lock(mutex_);
  now_ = now();
  calls_.session().lane_lost(Lane::kBulk, std::move(why), now_);
  send_queued(now_);
  publish_interest();
  run_tasks(lock);
}

std::unique_ptr<Link> Connection::release_link() {
  const Lock lock(mutex_);
  unregister(main_);
  links_closed_ = true;
  over_ = true;
  open_.store(false, std::memory_order_release);
  return main_.release();
}

Connection::Lock Connection::lock_to_send(const Payload& payload) {
  constexpr std::uint64_t kLarge = 64U << 10U;
  if (payload.byte_size() < kLarge) return lock();
  Lock lock = lock_for_bulk();
  if (take_yield()) {
    lock.unlock();
    std::this_thread::yield();
    lock = lock_for_bulk();
  }
  return lock;
}

const Link* Connection::bulk_link() {
  const Lock lock(mutex_);
  return bulk_ ? bulk_->key() : nullptr;
}

}  // namespace leat::transport
