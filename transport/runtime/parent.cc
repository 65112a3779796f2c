#include "transport/runtime/parent.h"

#include <algorithm>
#include <utility>

namespace leat::transport {

void Parent::add_child(Child child) {
  std::vector<Child> ended;  // let go of without the lock
  {
    const std::lock_guard lock(mutex_);
    if (!cancelled_) {
      if (children_.size() >= prune_at_) {
        // A handler that makes a million calls, one after another, remembers those that run.
        const auto gone = std::ranges::partition(children_, [](const Child& each) { return each({}); });
        std::ranges::move(gone, std::back_inserter(ended));
        children_.erase(gone.begin(), gone.end());
        prune_at_ = std::max<std::size_t>(8, 2 * children_.size());
      }
      children_.push_back(std::move(child));
      return;
    }
  }
  child(why_);
}

void Parent::cancel_children(const Status& why) {
  std::vector<Child> children;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(cancelled_, true)) return;
    why_ = why;
    children = std::exchange(children_, {});
  }
  for (const Child& child : children) child(why);
}

}  // namespace leat::transport
