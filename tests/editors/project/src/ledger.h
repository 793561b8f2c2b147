#pragma once

#include <string>
#include <vector>

namespace books {

// Entries of one account, in cents.
class Ledger {
 public:
  explicit Ledger(std::string owner);

  void add(long cents);
  long balance_cents() const;
  const std::string& owner() const;

 private:
  std::string owner_;
  std::vector<long> entries_;
};

}  // namespace books
