#include "transport/runtime/server_call.h"

#include <algorithm>
#include <exception>

#include "transport/runtime/clock.h"

namespace leat::transport {

using session::Event;

ServerCallState::ServerCallState(std::shared_ptr<Connection> connection, Dispatcher& dispatcher,
                                 Dispatcher::Job job, Event& opened, TimePoint at)
    : connection_(std::move(connection)),
      dispatcher_(dispatcher),
      alive_(dispatcher.weak_from_this().lock()),
      job_(std::move(job)),
      id_(opened.stream),
      service_(std::move(opened.open.service)),
      method_(std::move(opened.open.method)),
      kind_(opened.open.kind),
      metadata_(std::move(opened.open.metadata)) {
  if (opened.open.timeout_us) {
    deadline_ = at + std::chrono::microseconds(static_cast<std::int64_t>(*opened.open.timeout_us));
  }
}

void ServerCallState::opened() {
  if (kind_ == CallKind::kClientStream || kind_ == CallKind::kBidi) start();
}

void ServerCallState::on_event(Event& event) {
  switch (event.kind) {
    case Event::Kind::kMessage:
      requests_.push({std::move(event.payload), event.wire_bytes});
      half_closed_ = half_closed_ || event.last;
      start();
      break;
    case Event::Kind::kHalfClosed:
      half_closed_ = true;
      start();
      break;
    case Event::Kind::kCancelled:
      over_status_ = std::move(event.status);
      over_.store(true, std::memory_order_release);
      break;
    default: break;
  }
}

void ServerCallState::start() {
  if (std::exchange(started_, true)) return;
  // The other kinds wait for the caller's messages.
  const bool may_run_inline = kind_ == CallKind::kUnary || kind_ == CallKind::kServerStream;
  auto self = std::static_pointer_cast<ServerCallState>(shared_from_this());
  dispatcher_.run(*connection_, job_, may_run_inline, [self] { self->handle(); });
}

void ServerCallState::handle() {
  const TimePoint began = now();
  Status status;
  if (!cancelled()) {
    try {
      status = job_.target.service->handle_call(job_.target.method, *this);
    } catch (const std::exception& error) {
      dispatcher_.log(LogLevel::kError, service_ + "." + method_ + " raised: " + error.what());
      status = Status(Code::kUnknown, service_ + "." + method_ + " raised: " + error.what());
    } catch (...) {
      dispatcher_.log(LogLevel::kError,
                      service_ + "." + method_ + " raised something that is no std::exception");
      status =
          Status(Code::kUnknown, service_ + "." + method_ + " raised something that is no std::exception");
    }
    job_.run_time->add(now() - began);
  }
  finish(status);
}

void ServerCallState::finish(const Status& status) {
  Connection::Lock lock = connection_->lock();
  Status final_status = cancelled() ? over_status_ : status;
  if (!cancelled()) {
    if (final_status.ok() && kind_ == CallKind::kUnary && !reply_) {
      final_status = Status(Code::kInternal, service_ + "." + method_ + " returned no answer");
    }
    if (!final_status.ok()) {
      connection_->calls().finish(id_, final_status, trailing_);
    } else if (reply_ && trailing_.empty()) {
      final_status = connection_->calls().finish_with(id_, std::move(*reply_));
    } else {
      if (reply_) final_status = connection_->calls().session().send(id_, std::move(*reply_), false);
      connection_->calls().finish(id_, final_status, trailing_);
    }
  }
  dispatcher_.count(final_status);
  connection_->drop(id_);
  connection_->flush(lock);
}

Result<std::optional<Payload>> ServerCallState::read() {
  Connection::Lock lock = connection_->lock();
  Status waited =
      connection_->wait(lock, *this, [this] { return !requests_.empty() || half_closed_ || cancelled(); });
  if (!waited.ok()) return failure(waited);
  if (!requests_.empty()) {
    Request request = requests_.pop();
    connection_->calls().session().consumed(id_, request.wire_bytes);
    if (connection_->calls().session().has_output()) connection_->flush(lock);
    return std::move(request.payload);
  }
  if (cancelled()) return failure(over_status_);
  return std::nullopt;
}

Status ServerCallState::write_last(Payload reply) {
  if (reply_) return {Code::kInternal, service_ + "." + method_ + " has given its last answer already"};
  reply_ = std::move(reply);
  return {};
}

Status ServerCallState::write(Payload reply) {
  if (kind_ == CallKind::kUnary || reply_) return write_last(std::move(reply));
  Connection::Lock lock = connection_->lock();
  session::Session& session = connection_->calls().session();
  Status waited = connection_->wait(lock, *this, [&] { return cancelled() || !session.full(id_); });
  if (!waited.ok()) return waited;
  if (cancelled()) return over_status_;
  Status sent = session.send(id_, std::move(reply), false);
  connection_->flush(lock);
  return sent;
}

Status ServerCallState::send_initial_metadata(Metadata metadata) {
  if (Status valid = metadata.validate(); !valid.ok()) return valid;
  if (std::exchange(headers_sent_, true))
    return {Code::kFailedPrecondition, "initial metadata was sent already"};
  Connection::Lock lock = connection_->lock();
  if (cancelled()) return over_status_;
  connection_->calls().session().headers(id_, metadata);
  if (kind_ != CallKind::kUnary) connection_->flush(lock);
  return {};
}

std::optional<Duration> ServerCallState::remaining() const noexcept {
  if (deadline_ == kNever) return std::nullopt;
  return std::max(deadline_ - now(), Duration::zero());
}

}  // namespace leat::transport
