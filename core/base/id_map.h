// A map from ids to what they name, for tables in which entries come and go with every call: no node of its
// own for an entry, no division, and two neighbouring cache lines for most lookups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace leat {

/// Open addressing with linear probing; entries behind a gap move up (Knuth, TAOCP 3, 6.4, algorithm R). `V`
/// is cheap to move, like a pointer. Pointers to values last until the next insert() or extract().
template <class V>
class IdMap {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// `id` is never 0.
  [[nodiscard]] V* find(std::uint64_t id) noexcept {
    if (size_ == 0) return nullptr;
    const std::size_t at = place(id);
    return slots_[at].id == id ? &slots_[at].value : nullptr;
  }
  /// `id` is not there yet.
  V& insert(std::uint64_t id, V value) {
    // Above three quarters runs of taken slots grow quickly.
    if (4 * (size_ + 1) > 3 * slots_.size()) grow();
    Slot& slot = slots_[place(id)];
    slot.id = id;
    slot.value = std::move(value);
    ++size_;
    return slot.value;
  }
  /// Takes the entry out; V() if it is not there.
  V extract(std::uint64_t id) noexcept {
    if (size_ == 0) return V();
    std::size_t gap = place(id);
    if (slots_[gap].id != id) return V();
    V value = std::move(slots_[gap].value);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = (gap + 1) & mask; slots_[at].id != 0; at = (at + 1) & mask) {
      // It may move up if that does not put it before where its probing begins.
      if (((at - home(slots_[at].id)) & mask) < ((at - gap) & mask)) continue;
      slots_[gap] = std::move(slots_[at]);
      gap = at;
    }
    slots_[gap] = Slot();
    --size_;
    return value;
  }
  void clear() noexcept {
    slots_ = std::vector<Slot>();
    size_ = 0;
  }
  /// `visit(id, value)` for each, in no order; it must not change the map.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.id != 0) visit(slot.id, slot.value);
    }
  }

 private:
  struct Slot {
    std::uint64_t id = 0;
    V value{};
  };
  static constexpr std::size_t kLeast = 16;

  [[nodiscard]] std::size_t home(std::uint64_t id) const noexcept {
    // Fibonacci hashing (Knuth, TAOCP 3, 6.4): neighbouring ids go far apart.
    return static_cast<std::size_t>((id * 0x9e3779b97f4a7c15ULL) >> shift_);
  }
  /// Where it is, or would be.
  [[nodiscard]] std::size_t place(std::uint64_t id) const noexcept {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = home(id);
    while (slots_[at].id != 0 && slots_[at].id != id) at = (at + 1) & mask;
    return at;
  }
  void grow() {
    std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>());
    slots_.resize(old.empty() ? kLeast : 2 * old.size());
    shift_ = 64;
    for (std::size_t size = slots_.size(); size > 1; size /= 2) --shift_;
    for (Slot& slot : old) {
      if (slot.id != 0) slots_[place(slot.id)] = std::move(slot);
    }
  }

  std::vector<Slot> slots_;  // a power of two
  std::size_t size_ = 0;
  unsigned shift_ = 64;
};

}  // namespace leat
