// How everything in Leat reports failure: a code from gRPC's canonical list, a message that names the thing
// and the fix, and optional details. Functions that can fail return Result<T> or Status; nothing in the API
// throws.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <leat/bytes.h>

namespace leat {

/// The sixteen canonical codes and kOk, with gRPC's numbers, which are also the numbers on the wire.
enum class Code : std::uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

/// The code's name as users write it: "deadline_exceeded". A number outside the list gives "unknown".
[[nodiscard]] std::string_view code_name(Code code) noexcept;

/// One typed detail of a failure; the type says how to read the bytes.
struct StatusDetail {
  std::string type;
  Buffer value;
};

/// Success, or a failure with its reason. A value type; copies share the failure's text. Success allocates
/// nothing.
class [[nodiscard]] Status {
 public:
  Status() noexcept = default;
  /// A failure; with Code::kOk the message is dropped.
  Status(Code code, std::string message);

  [[nodiscard]] bool ok() const noexcept { return rep_ == nullptr; }
  [[nodiscard]] Code code() const noexcept { return rep_ ? rep_->code : Code::kOk; }
  /// The reason in a sentence that names the thing and the fix; empty on success.
  [[nodiscard]] const std::string& message() const noexcept;
  [[nodiscard]] const std::vector<StatusDetail>& details() const noexcept;
  /// The traceback of the handler that raised, as its language prints it; empty if there is none.
  [[nodiscard]] const std::string& remote_traceback() const noexcept;
  /// The remote exception's type as the other side spells it ("ValueError"); empty if there is none.
  [[nodiscard]] const std::string& remote_type() const noexcept;
  /// True if the request is known not to have reached a handler: to try again is safe whatever the method
  /// does. False says nothing: the call may have run, or not.
  [[nodiscard]] bool not_started() const noexcept { return rep_ != nullptr && rep_->not_started; }
  /// True if the connection was lost after the request may have left and before its answer came: nobody knows
  /// whether the call has run.
  [[nodiscard]] bool outcome_unknown() const noexcept { return rep_ != nullptr && rep_->outcome_unknown; }

  /// These return the status itself, for building one up. They do nothing to a success.
  Status& with_detail(StatusDetail detail);
  Status& with_remote_traceback(std::string type, std::string traceback);
  /// Puts `context` and ": " before the message.
  Status& with_context(std::string_view context);
  /// For those who refuse a call before its handler. A handler that passes on the failure of a call of its
  /// own need not care: its mark ends with it.
  Status& mark_not_started(bool not_started = true);
  /// For those who find a connection lost.
  Status& mark_outcome_unknown();

  /// "unavailable: tcp://127.0.0.1:5700: connection refused", or "ok".
  [[nodiscard]] std::string to_string() const;

 private:
  struct Rep {
    Code code = Code::kUnknown;
    bool not_started = false;
    bool outcome_unknown = false;
    std::string message;
    std::vector<StatusDetail> details;
    std::string remote_type;
    std::string remote_traceback;
  };
  Rep* unique_rep();
  std::shared_ptr<Rep> rep_;
};

template <class T>
using Result = std::expected<T, Status>;

/// The error side of a Result: `return leat::failure(Code::kNotFound, "...")`.
[[nodiscard]] inline std::unexpected<Status> failure(Code code, std::string message) {
  return std::unexpected<Status>(Status(code, std::move(message)));
}
[[nodiscard]] inline std::unexpected<Status> failure(Status status) {
  return std::unexpected<Status>(std::move(status));
}

}  // namespace leat
