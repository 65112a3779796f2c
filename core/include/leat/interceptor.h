// Code around every call of a peer or a server: to log, time, count, check, refuse, answer or change it.
//
//   class Timed : public leat::Interceptor {
//     std::string_view name() const noexcept override { return "timed"; }
//     std::unique_ptr<leat::CallHooks> begin(leat::CallDetails& call) override {
//       return std::make_unique<Stopwatch>(call);
//     }
//   };
//   leat::connect(url, {.interceptors = {std::make_shared<Timed>()}});
//
// They see calls of every kind, blocking and asynchronous, that this side makes and (peers are symmetric)
// those that it serves; CallDetails::side tells. Several nest: the first in the list is the outermost, that
// is nearest to the user's code on the client's side and nearest to the wire on the server's. What goes
// inwards (the beginning, a client's requests, a server's requests) passes the first one first, and what
// comes out (replies, headers, the end) passes it last.
//
// Threads: hooks run on the thread that uses the call: a client's own thread (or where it is told of a call
// it does not wait for), a server's handler's thread, which may be the one that reads the connection. With no
// lock of Leat's held; the hooks of one call never at the same time: if one thread writes while another
// reads, they wait for each other's hooks. They must be quick and must not wait: what they take, the call
// takes. An exception from a hook ends the call as kInternal, naming the interceptor.
//
// A server's interceptors see the calls that reach a handler. What is refused before (an unknown method, a
// server that is full) is counted by Server::stats() only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <leat/context.h>
#include <leat/message.h>
#include <leat/metadata.h>
#include <leat/service.h>
#include <leat/status.h>

namespace leat {

enum class Side : std::uint8_t { kClient, kServer };
/// "client" or "server".
[[nodiscard]] constexpr std::string_view side_name(Side side) noexcept {
  return side == Side::kClient ? "client" : "server";
}

/// A call as it begins. Lives, with all it refers to, until on_end() has returned.
struct CallDetails {
  Side side;
  std::string_view service;
  std::string_view method;
  CallKind kind;
  /// Client: the URL that was connected to. Server: the caller's address.
  std::string_view peer;
  /// What travels, or has come, before the request. May be changed until on_start() returns: the server, or
  /// the handler, sees what the last one left.
  Metadata& metadata;
  /// The time the call may take in all; none: any. Client: may be changed until on_start() returns. Server:
  /// what is left of it, a copy.
  std::optional<Duration> timeout;
  /// Server: the handler's context. Client: CallOptions::parent (see there), often nullptr.
  Context* context;
};

/// How a call is to go on after on_start().
class Decision {
 public:
  /// As if nobody had asked.
  Decision() = default;
  [[nodiscard]] static Decision proceed() { return {}; }
  /// The call ends so, and nobody further in hears of it.
  [[nodiscard]] static Decision refuse(Status status) {
    Decision decision;
    decision.status_ = std::move(status);
    return decision;
  }
  /// In the callee's stead: the replies, of which a call whose replies don't stream takes one, and ok.
  [[nodiscard]] static Decision answer(std::vector<Payload> replies) {
    Decision decision;
    decision.answered_ = true;
    decision.replies_ = std::move(replies);
    return decision;
  }

  [[nodiscard]] bool proceeds() const noexcept { return status_.ok() && !answered_; }
  [[nodiscard]] const Status& status() const noexcept { return status_; }
  [[nodiscard]] std::vector<Payload>& replies() noexcept { return replies_; }

 private:
  Status status_;
  bool answered_ = false;
  std::vector<Payload> replies_;
};

/// What an interceptor does in one call. The defaults do nothing. A failure that a hook returns ends the
/// call: with that status, and for the other side as cancelled (client) or with that status (server).
class CallHooks {
 public:
  CallHooks() = default;
  CallHooks(const CallHooks&) = delete;
  CallHooks& operator=(const CallHooks&) = delete;
  virtual ~CallHooks() = default;

  /// Before anything is sent, or before the handler runs; right after begin().
  [[nodiscard]] virtual Decision on_start() { return {}; }
  /// A message on its way out, which may be replaced. Client: a request. Server: a reply.
  virtual Status on_send(Payload& /*message*/) { return {}; }
  /// A message that has come, which may be replaced. Client: a reply. Server: a request.
  virtual Status on_receive(Payload& /*message*/) { return {}; }
  /// Initial metadata. Client: what came, before the first reply is seen or the end, once. Server: what the
  /// handler sends, if it does.
  virtual Status on_headers(Metadata& /*headers*/) { return {}; }
  /// The call is over; exactly once, whatever happens, after which this object goes. Both may be replaced.
  /// Client: when its user learns of the end (or lets go of the call). Server: when the handler has returned,
  /// or finished a call that it had detached; a status that is replaced after the caller has gone reaches
  /// nobody.
  virtual void on_end(Status& /*status*/, Metadata& /*trailing*/) {}
};

/// Called from many threads at once.
class Interceptor {
 public:
  Interceptor() = default;
  Interceptor(const Interceptor&) = delete;
  Interceptor& operator=(const Interceptor&) = delete;
  virtual ~Interceptor() = default;

  /// For errors.
  [[nodiscard]] virtual std::string_view name() const noexcept { return "an interceptor without a name"; }
  /// The hooks for a call that begins; nullptr: nothing more to do with it. May change the metadata and the
  /// timeout.
  [[nodiscard]] virtual std::unique_ptr<CallHooks> begin(CallDetails& call) = 0;
};

using Interceptors = std::vector<std::shared_ptr<Interceptor>>;

}  // namespace leat
