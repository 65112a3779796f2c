#include <array>

#include <leat/status.h>

namespace leat {

std::string_view code_name(Code code) noexcept {
  static constexpr std::array<std::string_view, 17> kNames = {
      "ok",        "cancelled",      "unknown",           "invalid_argument",   "deadline_exceeded",
      "not_found", "already_exists", "permission_denied", "resource_exhausted", "failed_precondition",
      "aborted",   "out_of_range",   "unimplemented",     "internal",           "unavailable",
      "data_loss", "unauthenticated"};
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : kNames[2];
}

Status::Status(Code code, std::string message) {
  if (code == Code::kOk) return;
  rep_ = std::make_shared<Rep>();
  rep_->code = code;
  rep_->message = std::move(message);
}

namespace {
const std::string kNoText;
const std::vector<StatusDetail> kNoDetails;
}  // namespace

const std::string& Status::message() const noexcept { return rep_ ? rep_->message : kNoText; }
const std::vector<StatusDetail>& Status::details() const noexcept {
  return rep_ ? rep_->details : kNoDetails;
}
const std::string& Status::remote_traceback() const noexcept {
  return rep_ ? rep_->remote_traceback : kNoText;
}
const std::string& Status::remote_type() const noexcept { return rep_ ? rep_->remote_type : kNoText; }

Status::Rep* Status::unique_rep() {
  // Copies share the text until one of them is changed.
  if (rep_ && rep_.use_count() > 1) rep_ = std::make_shared<Rep>(*rep_);
  return rep_.get();
}

Status& Status::with_detail(StatusDetail detail) {
  if (Rep* rep = unique_rep()) rep->details.push_back(std::move(detail));
  return *this;
}

Status& Status::with_remote_traceback(std::string type, std::string traceback) {
  if (Rep* rep = unique_rep()) {
    rep->remote_type = std::move(type);
    rep->remote_traceback = std::move(traceback);
  }
  return *this;
}

Status& Status::with_context(std::string_view context) {
  if (Rep* rep = unique_rep()) rep->message.insert(0, std::string(context) + ": ");
  return *this;
}

Status& Status::mark_not_started(bool not_started) {
  if (rep_ && rep_->not_started != not_started) unique_rep()->not_started = not_started;
  return *this;
}

Status& Status::mark_outcome_unknown() {
  if (Rep* rep = unique_rep()) rep->outcome_unknown = true;
  return *this;
}

std::string Status::to_string() const {
  std::string text(code_name(code()));
  if (!message().empty()) text += ": " + message();
  return text;
}

}  // namespace leat
