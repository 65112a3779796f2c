// Interceptors on the side that calls.
#pragma once

#include <memory>
#include <string>

#include <leat/interceptor.h>

namespace leat::transport {

/// A caller whose calls pass the interceptors and then go to `inner`; `inner` itself if there are none.
/// `peer` is what CallDetails::peer says.
[[nodiscard]] std::shared_ptr<Caller> intercept_caller(std::shared_ptr<Caller> inner,
                                                       const Interceptors& interceptors, std::string peer);

}  // namespace leat::transport
