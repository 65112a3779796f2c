#include "transport/runtime/current_context.h"

#include <utility>

namespace leat {
namespace {

thread_local Context* current = nullptr;

}  // namespace

Context* current_context() noexcept { return current; }

namespace transport {

HandlerScope::HandlerScope(Context& context) noexcept : outer_(std::exchange(current, &context)) {}
HandlerScope::~HandlerScope() { current = outer_; }

}  // namespace transport
}  // namespace leat
