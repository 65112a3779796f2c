#include "transport/runtime/server_call.h"

#include <algorithm>
#include <exception>

#include "transport/runtime/clock.h"
#include "transport/runtime/current_context.h"

namespace leat::transport {

using session::Event;

ServerCallState::ServerCallState(std::shared_ptr<Connection> connection, Dispatcher& dispatcher,
                                 const Dispatcher::Job& job, Event& opened, TimePoint at)
    : connection_(std::move(connection)),
      dispatcher_(dispatcher),
      alive_(dispatcher.weak_from_this().lock()),
      job_(job),
      id_(opened.stream),
      service_(std::move(opened.open->service)),
      method_(std::move(opened.open->method)),
      kind_(opened.open->kind),
      metadata_(std::move(opened.open->metadata)),
      began_(at) {
  if (opened.open->timeout_us) {
    deadline_ = at + std::chrono::microseconds(static_cast<std::int64_t>(*opened.open->timeout_us));
  }
}

bool ServerCallState::opened() {
  if (kind_ == CallKind::kClientStream || kind_ == CallKind::kBidi) start();
  return !concluded_;
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
    case Event::Kind::kCancelled: cancelled_by(std::move(event.status)); break;
    default: break;
  }
}

void ServerCallState::cancelled_by(Status why) {
  over_status_ = std::move(why);
  over_.store(true, std::memory_order_release);
  connection_->defer([self = self()] { self->cancel_children(self->over_status_); });
  // Callbacks on the token are the user's and may block.
  if (stop_) {
    dispatcher_.post_urgent([source = *stop_]() mutable { source.request_stop(); });
  }
}

bool ServerCallState::has_come(Moment moment) {
  if (concluded_ || cancelled()) return true;
  if (moment == Moment::kReadable) return !requests_.empty() || half_closed_;
  return moment == Moment::kWritable && !connection_->calls().session().full(id_);
}

void ServerCallState::start() {
  if (std::exchange(started_, true)) return;
  // The other kinds wait for the caller's messages.
  const bool may_run_inline = kind_ == CallKind::kUnary || kind_ == CallKind::kServerStream;
  Status admitted = dispatcher_.run(*connection_, job_, may_run_inline, [self = self()] { self->handle(); });
  if (admitted.ok()) return;
  concluded_ = true;
  dispatcher_.count(admitted);
  connection_->calls().reject(id_, std::move(admitted));
  connection_->drop(id_);
}

void ServerCallState::handle() {
  const bool run_inline = inline_allowed();
  const TimePoint began = run_inline ? task_clock() : real_now();
  if (run_inline) dispatcher_.note_inline(began);
  Status status;
  if (!cancelled()) {
    const HandlerScope scope(*this);
    const Interceptors& interceptors = dispatcher_.interceptors();
    if (interceptors.empty()) {
      Handled handled = run_handler(*this);
      // Unless the answer is somebody else's to give already.
      if (handled.raised && kept_.use_count() == 1) conclude(handled.status);
      status = std::move(handled.status);
    } else {
      status = handle_intercepted(interceptors, service_, metadata_, *this,
                                  [this](ServerCall& call) { return run_handler(call); });
    }
    const TimePoint ended = task_clock() = real_now();
    job_.method->add(ended - began);
  }
  if (!detached_) conclude(status, run_inline ? task_clock() : real_now());
  if (run_inline) dispatcher_.note_inline(TimePoint::min());
  kept_.reset();
}

Handled ServerCallState::run_handler(ServerCall& call) {
  outermost_ = &call;
  std::string what;
  try {
    return {job_.service->handle_call(job_.index, call)};
  } catch (const std::exception& error) {
    what = service_ + "." + method_ + " raised: " + error.what();
  } catch (...) {
    what = service_ + "." + method_ + " raised something that is no std::exception";
  }
  dispatcher_.log(LogLevel::kError, what);
  return {Status(Code::kUnknown, std::move(what)), true};
}

void ServerCallState::conclude(const Status& status, TimePoint ended) {
  Connection::Lock lock = connection_->lock();
  if (std::exchange(concluded_, true)) return;
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
  dispatcher_.latency().record((time_is_manual() ? now() : ended) - began_);
  connection_->announce(*this);
  connection_->drop(id_);
  connection_->flush(lock);
  lock.unlock();
  dispatcher_.done(job_);
}

Result<std::optional<Payload>> ServerCallState::read() {
  Connection::Lock lock = connection_->lock();
  Status waited =
      connection_->wait(lock, *this, [this] { return !requests_.empty() || half_closed_ || cancelled(); });
  if (!waited.ok()) return failure(waited);
  if (!requests_.empty()) {
    Request request = requests_.pop();
    connection_->consumed(lock, id_, request.wire_bytes);
    return std::move(request.payload);
  }
  if (cancelled()) return failure(over_status_);
  return std::nullopt;
}

Result<Polled> ServerCallState::try_read() {
  Connection::Lock lock = connection_->lock();
  if (!requests_.empty()) {
    Request request = requests_.pop();
    connection_->consumed(lock, id_, request.wire_bytes);
    return Polled{false, std::move(request.payload)};
  }
  if (cancelled()) return failure(over_status_);
  return Polled{!half_closed_, std::nullopt};
}

Result<bool> ServerCallState::try_write(Payload& reply) {
  if (kind_ == CallKind::kUnary || reply_) {
    if (Status noted = write_last(std::move(reply)); !noted.ok()) return failure(std::move(noted));
    return true;
  }
  Connection::Lock lock = connection_->lock_to_send(reply);
  if (cancelled()) return failure(over_status_);
  session::Session& session = connection_->calls().session();
  if (session.full(id_)) return false;
  const std::uint64_t bytes = reply.byte_size();
  Status sent = session.send(id_, std::move(reply), false);
  connection_->flush_soon(lock, bytes);
  if (!sent.ok()) return failure(std::move(sent));
  return true;
}

void ServerCallState::when(Moment moment, std::function<void()> notify) {
  connection_->watch_moment(connection_->lock(), *this, moment, std::move(notify));
}

std::shared_ptr<ServerCall> ServerCallState::detach() {
  detached_ = true;
  // The last copy gone without finish(): the caller must not wait for ever.
  kept_ = {static_cast<ServerCall*>(this), [self = self()](ServerCall*) {
             self->conclude({Code::kInternal,
                             self->service_ + "." + self->method_ + " was let go of without an answer"});
           }};
  return kept_;
}

void ServerCallState::finish(Status status) { conclude(status); }

Status ServerCallState::write_last(Payload reply) {
  if (reply_) return {Code::kInternal, service_ + "." + method_ + " has given its last answer already"};
  reply_ = std::move(reply);
  return {};
}

Status ServerCallState::write(Payload reply) {
  if (kind_ == CallKind::kUnary || reply_) return write_last(std::move(reply));
  Connection::Lock lock = connection_->lock_to_send(reply);
  session::Session& session = connection_->calls().session();
  Status waited = connection_->wait(lock, *this, [&] { return cancelled() || !session.full(id_); });
  if (!waited.ok()) return waited;
  if (cancelled()) return over_status_;
  const std::uint64_t bytes = reply.byte_size();
  Status sent = session.send(id_, std::move(reply), false);
  connection_->flush_soon(lock, bytes);
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

std::shared_ptr<Caller> ServerCallState::peer() { return dispatcher_.caller(*connection_); }

bool ServerCallState::wait_for(Duration limit) {
  Connection::Lock lock = connection_->lock();
  const TimePoint until = limit >= kNever - now() ? kNever : now() + limit;
  return connection_->wait_until(lock, *this, until, [this] { return cancelled(); });
}

std::stop_token ServerCallState::stop_token() {
  const Connection::Lock lock = connection_->lock();
  if (!stop_) {
    stop_.emplace();
    if (cancelled()) stop_->request_stop();
  }
  return stop_->get_token();
}

}  // namespace leat::transport
