#include "transport/intercept/chain.h"

#include <exception>
#include <string>
#include <utility>

namespace leat::transport {
namespace {

Status raised(const Interceptor& by, std::string_view hook_name, std::string_view what) {
  return {Code::kInternal,
          std::string(by.name()) + " raised in " + std::string(hook_name) + ": " + std::string(what)};
}

/// The only place where user code of an interceptor is called.
template <class Hook>
Status guarded(const Interceptor& by, std::string_view hook_name, Hook hook) {
  try {
    return hook();
  } catch (const std::exception& error) {
    return raised(by, hook_name, error.what());
  } catch (...) {
    return raised(by, hook_name, "something that is no std::exception");
  }
}

}  // namespace

Decision HookChain::start(CallDetails& details) {
  for (const std::shared_ptr<Interceptor>& by : interceptors_) {
    std::unique_ptr<CallHooks> hooks;
    Decision decision;
    Status status = guarded(*by, "begin", [&] {
      hooks = by->begin(details);
      return Status();
    });
    if (status.ok() && !hooks) continue;
    if (hooks) {
      links_.push_back({by.get(), std::move(hooks)});
      status = guarded(*by, "on_start", [&] {
        decision = links_.back().hooks->on_start();
        return Status();
      });
    }
    if (!status.ok()) decision = Decision::refuse(std::move(status));
    if (decision.proceeds()) continue;
    if (decision.status().ok()) answering_ = 1;
    return decision;
  }
  return {};
}

template <class Hook>
Status HookChain::pass(bool inwards, std::string_view hook_name, Hook hook) {
  const std::size_t count = links_.size() - answering_;
  for (std::size_t i = 0; i < count; ++i) {
    const Link& link = links_[inwards ? i : count - 1 - i];
    if (Status status = guarded(*link.by, hook_name, [&] { return hook(*link.hooks); }); !status.ok())
      return status;
  }
  return {};
}

Status HookChain::send(Payload& message) {
  return pass(side_ == Side::kClient, "on_send", [&](CallHooks& hooks) { return hooks.on_send(message); });
}

Status HookChain::receive(Payload& message) {
  return pass(side_ == Side::kServer, "on_receive",
              [&](CallHooks& hooks) { return hooks.on_receive(message); });
}

Status HookChain::headers(Metadata& headers) {
  return pass(false, "on_headers", [&](CallHooks& hooks) { return hooks.on_headers(headers); });
}

Status HookChain::end(Status status, Metadata& trailing) {
  for (; !links_.empty(); links_.pop_back()) {
    const Link& link = links_.back();
    Status ran = guarded(*link.by, "on_end", [&] {
      link.hooks->on_end(status, trailing);
      return Status();
    });
    if (!ran.ok()) status = std::move(ran);
  }
  return status;
}

}  // namespace leat::transport
