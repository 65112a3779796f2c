// Calls that are made inside a handler: bounded by its deadline, ended by its cancellation.
#pragma once

#include <functional>
#include <mutex>
#include <vector>

#include <leat/context.h>
#include <leat/peer.h>
#include <leat/status.h>

namespace leat::transport {

/// The handler that a call is made for, if any.
[[nodiscard]] inline Context* parent_of(const CallOptions& options) noexcept {
  return options.parent != nullptr ? options.parent : current_context();
}

/// What a handler's context remembers of the calls made for it. Thread-safe.
class Parent {
 public:
  /// Ends the child for this reason; asked with an ok status it does nothing. False once there is nothing to
  /// end.
  using Child = std::function<bool(const Status& why)>;

  virtual ~Parent() = default;
  Parent() = default;
  Parent(const Parent&) = delete;
  Parent& operator=(const Parent&) = delete;

  /// Called with no lock held. A child of a handler that is cancelled already ends at once.
  void add_child(Child child);
  /// Ends all children there are, and those to come. Called with no lock held.
  void cancel_children(const Status& why);

 private:
  std::mutex mutex_;
  std::vector<Child> children_;
  std::size_t prune_at_ = 8;
  bool cancelled_ = false;
  Status why_;
};

}  // namespace leat::transport
