// Something that can be called, as Python holds it: a peer, or whoever called a handler.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <leat/peer.h>
#include <leat/service.h>

#include "closing.h"
#include "gil.h"
#include "interceptor.h"
#include "method.h"

namespace leat::python {

/// Lets go without the GIL, since the last handle may close a connection.
class CallerHandle {
 public:
  /// `calls` is what calls begin with; its timeout holds for those that neither an option nor the schema
  /// limits.
  explicit CallerHandle(std::shared_ptr<Caller> caller, CallOptions calls = {})
      : caller_(std::move(caller)),
        timeout_(std::exchange(calls.timeout, std::nullopt)),
        calls_(std::move(calls)) {}
  CallerHandle(const CallerHandle&) = delete;
  CallerHandle& operator=(const CallerHandle&) = delete;
  virtual ~CallerHandle() {
    const ReleaseGilIfTaken released;
    caller_.reset();
  }
  [[nodiscard]] const std::shared_ptr<Caller>& caller() const noexcept { return caller_; }
  /// What this was made with.
  [[nodiscard]] CallOptions defaults() const {
    CallOptions calls = calls_;
    calls.timeout = timeout_;
    return calls;
  }
  /// What a call's own options are changes to.
  [[nodiscard]] const CallOptions& calls() const noexcept { return calls_; }
  [[nodiscard]] Target target(std::shared_ptr<const Method> method, const CallOptions& options) const {
    Target target{caller_, std::move(method), options};
    if (!options.timeout && !target.method->ref().deadline) target.options.timeout = timeout_;
    return target;
  }
  /// Empty for a caller of handlers, whom nobody connected to.
  [[nodiscard]] virtual std::string url() const { return {}; }

 private:
  std::shared_ptr<Caller> caller_;
  std::optional<Duration> timeout_;
  CallOptions calls_;
};

/// A peer that this side connected.
class PeerHandle final : public CallerHandle {
 public:
  PeerHandle(Peer peer, CallOptions calls, std::shared_ptr<ServedSchemas> served)
      : CallerHandle(peer.caller(), std::move(calls)),
        served_(std::move(served)),
        peer_(std::make_unique<Peer>(std::move(peer))) {}
  ~PeerHandle() override {
    const ReleaseGilIfTaken released;
    peer_.reset();
  }
  [[nodiscard]] Peer& peer() const noexcept { return *peer_; }
  [[nodiscard]] ServedSchemas& served() const noexcept { return *served_; }
  [[nodiscard]] std::string url() const override { return peer_->url(); }

  Ending closing;

 private:
  std::shared_ptr<ServedSchemas> served_;
  std::unique_ptr<Peer> peer_;
};

}  // namespace leat::python
