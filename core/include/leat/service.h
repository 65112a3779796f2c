// The seam between calls and what carries them: generated code, dynamic clients and bindings are written
// against these two small interfaces and never see a connection. `Caller` is the client's side, `Service` the
// server's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <leat/context.h>
#include <leat/message.h>
#include <leat/status.h>

namespace leat {

enum class CallKind : std::uint8_t { kUnary = 0, kServerStream = 1, kClientStream = 2, kBidi = 3 };

/// 128 bits that two sides compare to learn whether they know a service by the same schema. All zero: no
/// schema.
struct Fingerprint {
  std::array<std::uint8_t, 16> bytes{};
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

/// A method as a server offers it. Names are as the wire spells them.
struct MethodInfo {
  std::string_view name;
  CallKind kind = CallKind::kUnary;
  bool idempotent = false;
  std::optional<Channel> channel{};
  std::optional<Duration> deadline{};
  std::uint32_t max_inflight = 0;  ///< calls of it that run at a time, others wait; 0: no limit of its own
  bool run_inline = false;         ///< known to be quick and never to wait: runs where the request is read
};

/// A service as it is announced in the handshake. Everything it refers to outlives the Service.
struct ServiceInfo {
  std::string_view name{};  ///< "imaging.Microscope", or the name an object was registered under
  std::span<const MethodInfo> methods{};
  Fingerprint fingerprint{};
};

/// What a call can be waited for without a thread that waits; see ClientCall::when() and ServerCall::when().
enum class Moment : std::uint8_t {
  kReadable,  ///< try_read() would find something: a message, or that no more will come
  kWritable,  ///< try_write() would find room, or that the call has ended
  kEnded,     ///< the call is over: its final status is known; for handlers: nobody waits for the answer any
              ///< more
};

/// What a read that does not wait finds.
struct Polled {
  bool pending = false;            ///< nothing yet: ask again at Moment::kReadable
  std::optional<Payload> message;  ///< none, and not pending: no more will come
};

/// One call as the server's handler sees it, of any kind. Used by one thread at a time.
class ServerCall {
 public:
  virtual ~ServerCall() = default;

  [[nodiscard]] virtual Context& context() noexcept = 0;
  /// The name the caller used, for services that look methods up themselves.
  [[nodiscard]] virtual std::string_view method() const noexcept = 0;
  /// The kind of call the caller opened.
  [[nodiscard]] virtual CallKind kind() const noexcept = 0;

  /// The next request message; nullopt once the caller has half-closed. Blocks until there is one. Fails with
  /// kCancelled, kDeadlineExceeded or kUnavailable when nobody waits for the answer any more.
  virtual Result<std::optional<Payload>> read() = 0;
  /// Sends one reply message. Blocks while the caller's window is full (and `would block` never surfaces
  /// here); fails as read() does, at the latest one message after the call ended. A unary call takes exactly
  /// one.
  virtual Status write(Payload reply) = 0;
  /// The last reply: it travels together with the call's ok, in one frame, when the handler returns. Does not
  /// block.
  virtual Status write_last(Payload reply) { return write(std::move(reply)); }
  /// Sends initial metadata now instead of with the first reply; once, before the first write.
  virtual Status send_initial_metadata(Metadata metadata) = 0;
  /// Metadata that will travel with the final status.
  virtual void set_trailing_metadata(Metadata metadata) = 0;

  // Without waiting. The defaults wait, for stand-ins whose calls are all there from the beginning.

  /// As read().
  virtual Result<Polled> try_read();
  /// As write(); false if there is no room now (then `reply` is untouched): ask again at Moment::kWritable.
  virtual Result<bool> try_write(Payload& reply);
  /// Calls `notify` once, when the moment has come: on this thread, before when() returns, if it has come
  /// already; else on a thread of Leat's, with no lock held, where it must be quick and must not wait. One at
  /// a time for each moment: another replaces it. Any thread.
  virtual void when(Moment moment, std::function<void()> notify);
  /// Lets the handler return before the call has ended: what handle_call() returns is ignored then, and the
  /// call lives until finish(). nullptr if this call can't (a stand-in).
  [[nodiscard]] virtual std::shared_ptr<ServerCall> detach() { return nullptr; }
  /// The final status of a detached call; once. Any thread. Does not block. Letting go of a detached call
  /// without it ends the call as kInternal.
  virtual void finish(Status /*status*/) {}
};

/// Something that answers calls under a name. One object serves all connections, from several threads at
/// once. Generated services derive from this and add one function per method, so the names here are ones that
/// no schema is likely to use for a method.
class Service {
 public:
  virtual ~Service() = default;

  [[nodiscard]] virtual const ServiceInfo& service_info() const noexcept = 0;

  /// Where `method` stands in service_info().methods. The default compares names; a service whose methods are
  /// not listed (a Python object) overrides it. nullopt is answered as kUnimplemented. Called with the
  /// connection's lock held: it must be quick and must not wait for anything (a GIL, another lock).
  [[nodiscard]] virtual std::optional<std::size_t> find_method(std::string_view method) const noexcept;
  /// For the error text when find_method() gives nullopt: names to suggest, separated by ", "; may be empty.
  /// Called as find_method() is.
  [[nodiscard]] virtual std::string known_methods() const;

  /// Answers one call: reads requests, writes replies, and returns the call's final status. May block; runs
  /// on a thread of Leat's, inline between reads of the socket only if it is known to be quick. May return
  /// early and go on elsewhere after ServerCall::detach(). Must not throw across this boundary (an exception
  /// is caught and answered as kUnknown with its what()).
  virtual Status handle_call(std::size_t method, ServerCall& call) = 0;
};

/// A method as a client calls it. The texts must live until the call has started.
struct MethodRef {
  std::string_view service;
  std::string_view method;
  CallKind kind = CallKind::kUnary;
  bool idempotent = false;
  std::optional<Channel> channel{};
  std::optional<Duration> deadline{};  ///< the schema's default; CallOptions::timeout overrides it
  /// Of a server stream: it nearly always has one reply. Its request takes the channel that a unary one's
  /// would if it is large.
  bool mostly_one_reply = false;
};

/// One call as the client sees it, of any kind. Used by one thread at a time, except that one may write while
/// another reads, and that any thread may call cancel(). Destroying it before the end cancels the call.
class ClientCall {
 public:
  virtual ~ClientCall() = default;

  /// The next reply; nullopt at the end of the replies, after which finish() does not block. Blocks until
  /// there is one. Failures are not reported here: the replies end, and finish() says why.
  virtual std::optional<Payload> read() = 0;
  /// read() of a call that has one reply at most, and finish(): the reply, nullopt if there was none, or why
  /// the call failed. kInternal if there was more than one.
  virtual Result<std::optional<Payload>> only_reply();
  /// Sends a request message (client streams). Blocks while the server's window is full.
  virtual Status write(Payload request) = 0;
  /// No more requests.
  virtual Status half_close() = 0;
  /// Waits for the final status. Replies not read by then are dropped.
  virtual Status finish() = 0;
  /// Ends the call as kCancelled unless it has ended; does not block. The handler sees Context::cancelled().
  virtual void cancel() noexcept = 0;
  /// Blocks until the server's initial metadata is here (with the first reply at the latest, or at the end).
  virtual const Metadata& initial_metadata() = 0;
  /// Valid after finish().
  [[nodiscard]] virtual const Metadata& trailing_metadata() const noexcept = 0;

  // Without waiting. The defaults wait, for stand-ins whose calls are done at once.

  /// As read().
  virtual Polled try_read();
  /// As write(); false if there is no room now (then `request` is untouched): ask again at Moment::kWritable.
  virtual Result<bool> try_write(Payload& request);
  /// True if finish() would not wait.
  [[nodiscard]] virtual bool ended() { return true; }
  /// Waits until the moment has come, or until `limit` has passed or the wait was interrupted: false then,
  /// and the call goes on. Reads from the connection meanwhile, as read() does. Several threads may wait.
  virtual bool wait(Moment /*moment*/, Duration /*limit*/) { return true; }
  /// As ServerCall::when().
  virtual void when(Moment moment, std::function<void()> notify);
};

/// Something that can make calls: a peer, or an in-memory stand-in. Thread-safe.
class Caller {
 public:
  virtual ~Caller() = default;

  /// One request, one reply. Blocks until the reply is here or the call has failed.
  virtual Result<Payload> call(const MethodRef& method, Payload request, const CallOptions& options) = 0;
  /// Starts a call of any kind. `request`, if given, is its first and (unless the kind streams requests) only
  /// message.
  virtual Result<std::unique_ptr<ClientCall>> start(const MethodRef& method, std::optional<Payload> request,
                                                    const CallOptions& options) = 0;
  /// Runs user code that was waiting for something (a callback, the rest of a coroutine) on a thread where it
  /// may take its time; exactly once, at the latest when the connection is closed. It may let go of this
  /// caller before post() has returned. The default runs it at once.
  virtual void post(std::function<void()> work) { work(); }
};

}  // namespace leat
