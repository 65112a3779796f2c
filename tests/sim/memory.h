// Counts the memory that the program allocates, by whom it is done for: programs that link this replace the
// global operator new and delete.
#pragma once

#include <cstdint>

namespace leat::sim {

/// Bytes alive that were allocated in a scope of this account, wherever they are freed. Belongs to one
/// thread, as all that is allocated in it.
struct Account {
  std::int64_t bytes = 0;
  std::int64_t most = 0;
};

/// False under ThreadSanitizer, whose operator new can't be replaced: accounts stay empty.
[[nodiscard]] bool counts_memory() noexcept;

/// What this thread allocates goes to the account for as long as this lives; nests.
class Charge {
 public:
  explicit Charge(Account& account) noexcept;
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge();

 private:
  Account* previous_;
};

}  // namespace leat::sim
