// One end of a connection: a session, and what the runtime does around it (transport/runtime/connection.cc)
// without threads. The only place that touches core/call and core/session; the application sees streams.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "core/base/lane.h"
#include "core/call/calls.h"
#include "tests/sim/memory.h"
#include "tests/sim/network.h"
#include "tests/sim/observer.h"
#include "tests/sim/trace.h"
#include "tests/sim/wire_tap.h"

namespace leat::sim {

class End;

/// Who uses an end.
class Application {
 public:
  virtual ~Application() = default;
  /// Everything but kClosed.
  virtual void on_event(End& end, session::Event& event) = 0;
  /// The connection is over, and every stream's end was told.
  virtual void on_closed(End& end, const Status& status) = 0;
};

/// What all parts of a run share.
struct Stage {
  Timeline& timeline;
  Trace& trace;
  Observers& observers;
};

class End final {
 public:
  End(Stage stage, Random random, EndInfo info, Account& account);

  void use(Application& application);
  [[nodiscard]] const EndInfo& info() const noexcept { return info_; }
  [[nodiscard]] EndKey key() const noexcept { return info_.key; }
  [[nodiscard]] bool ready() const noexcept { return calls_ && calls_->session().ready(); }
  /// Ready, and the other side takes new streams.
  [[nodiscard]] bool takes_calls() const noexcept { return ready() && !calls_->session().going_away(); }
  [[nodiscard]] bool over() const noexcept { return over_; }
  /// Nothing that it could do now is left.
  [[nodiscard]] bool asleep() const noexcept { return !awake_; }
  [[nodiscard]] const Account& account() const noexcept { return *account_; }

  // For callers.
  Result<wire::StreamId> start(const CallPlan& plan, std::uint32_t attempt, std::optional<Payload> first,
                               TimePoint deadline);
  void half_close(wire::StreamId stream);
  void cancel(wire::StreamId stream, Code code, std::string reason);
  // For callees.
  void headers(wire::StreamId stream, const Metadata& metadata);
  Status finish_with(wire::StreamId stream, Payload reply);
  void finish(wire::StreamId stream, const Status& status, const Metadata& trailing);
  void reject(wire::StreamId stream, const Status& status);
  // For both.
  Status send(wire::StreamId stream, Payload payload, bool last);
  [[nodiscard]] bool full(wire::StreamId stream);
  void taken(wire::StreamId stream, std::uint64_t wire_bytes);
  /// Ends the connection in good order.
  void close(Code code, std::string reason);
  void drain(std::string reason);
  /// The other side's answer comes as an event.
  void ask_health();
  void answer_health(std::uint32_t id);

  /// The link of the second lane is there (EndInfo::links has it); false if the session does not want it.
  bool add_lane();
  /// It could not be had.
  void give_up_lane();

  /// What is not as it should be in a session that has nothing to do; empty if all is well.
  [[nodiscard]] std::string leftovers();

 private:
  /// Where one lane's link is plugged in.
  struct Port final : public LinkEnd {
    Port(End& port_end, Lane port_lane, const Observers& observers, EndKey key)
        : end(&port_end),
          lane(port_lane),
          sent(observers, &Observer::on_frame_sent, key, port_lane),
          arrived(observers, &Observer::on_frame_arrived, key.peer(), port_lane) {}
    void on_bytes(Bytes bytes) override { end->on_bytes(*this, bytes); }
    void on_room() override { end->wake(); }
    void on_lost() override { end->on_lost(*this); }

    End* end;
    Lane lane;
    std::shared_ptr<Link> link;  // nullptr: not there, or lost
    session::Batch batch;
    WireTap sent;
    WireTap arrived;
  };

  void plug(Port& port, const std::shared_ptr<Link>& link) const;
  void on_bytes(Port& port, Bytes bytes);
  void on_lost(Port& port);
  /// Something happened: pump, after as long as a thread takes to come round.
  void wake();
  void pump();
  void read(Lane lane, Bytes bytes);
  void send_queued(Port& port);
  void hear_events();
  void plan_timeout();
  void note_queued(wire::StreamId stream, const Payload& payload) const;

  Stage stage_;
  Random random_;
  EndInfo info_;
  Account* account_;
  Application* application_ = nullptr;
  std::unique_ptr<call::Calls> calls_;
  std::size_t health_asked_ = 0;
  std::array<Port, kLaneCount> ports_;
  bool awake_ = false;
  bool over_ = false;
  TimePoint planned_timeout_ = kNever;
};

}  // namespace leat::sim
