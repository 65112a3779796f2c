// Test only: addresses that two runs of the same test do not share.
#pragma once

#include <string>
#include <string_view>
#include <unistd.h>

namespace leat {

/// The URL with '%' replaced by this process's number.
inline std::string own_url(std::string_view url) {
  std::string own(url);
  if (const auto at = own.find('%'); at != std::string::npos) own.replace(at, 1, std::to_string(::getpid()));
  return own;
}

}  // namespace leat
