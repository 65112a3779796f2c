#include "answer.h"

#include "error.h"
#include "schema/dynamic/value_writer.h"

namespace leat::python {

std::optional<Moment> Answer::advance() {
  if (done_) return std::nullopt;
  if (!read_) {
    Polled polled = call_->try_read();
    if (polled.pending) return Moment::kReadable;
    read_ = true;
    reply_ = std::move(polled.message);
    if (reply_ && method_->may_answer_with_stream() && values::says_items_follow(*reply_)) {
      stream_ = done_ = true;
      return std::nullopt;
    }
  }
  if (!call_->ended()) return Moment::kEnded;
  status_ = call_->finish();
  initial_ = call_->initial_metadata();
  trailing_ = call_->trailing_metadata();
  done_ = true;
  return std::nullopt;
}

py::object Answer::take() const {
  if (!status_.ok()) raise_end(*method_, status_);
  if (!reply_) raise({Code::kInternal, method_->where() + " ended without an answer"});
  return method_->decode(*reply_);
}

}  // namespace leat::python
