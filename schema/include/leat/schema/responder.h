// The answer of a unary call that its handler may give after it has returned.
#pragma once

#include <memory>
#include <utility>

#include <leat/message.h>
#include <leat/service.h>
#include <leat/status.h>

namespace leat {
namespace schema {

/// kResourceExhausted for a message that finish_message() gave up on.
[[nodiscard]] Status check_size(const Payload& message);

}  // namespace schema

/// Owed by whoever holds it: finish() gives the answer, from any thread. Letting go of it without ends the
/// call as kInternal. Move-only; one thread at a time.
///
/// Calls that are made for this one after the handler has returned name it: CallOptions{.parent =
/// &responder.context()} gives them its deadline and its cancellation.
template <class M>
class Responder {
 public:
  explicit Responder(std::shared_ptr<ServerCall> call) noexcept : call_(std::move(call)) {}
  Responder(Responder&&) noexcept = default;
  Responder& operator=(Responder&&) noexcept = default;
  Responder(const Responder&) = delete;
  Responder& operator=(const Responder&) = delete;
  ~Responder() = default;

  /// Valid until finish(). Its stop_token() and cancelled() tell when nobody waits for the answer any more.
  [[nodiscard]] Context& context() const noexcept { return call_->context(); }
  /// Sends initial metadata now instead of with the answer; once.
  Status send_initial_metadata(Metadata metadata) {
    return call_->send_initial_metadata(std::move(metadata));
  }
  /// Metadata that will travel with the answer.
  void set_trailing_metadata(Metadata metadata) { call_->set_trailing_metadata(std::move(metadata)); }

  /// The answer, or the failure (`leat::failure(...)`); once, further ones are ignored. Does not block.
  void finish(Result<M> reply) {
    const std::shared_ptr<ServerCall> call = std::move(call_);
    if (!call) return;
    Status status = reply ? Status() : reply.error();
    if (reply) {
      Payload payload = encode(*reply);
      status = schema::check_size(payload);
      if (status.ok()) status = call->write_last(std::move(payload));
    }
    call->finish(std::move(status));
  }

 private:
  std::shared_ptr<ServerCall> call_;
};

}  // namespace leat
