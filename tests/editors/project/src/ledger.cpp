#include "ledger.h"

#include <numeric>
#include <utility>

namespace books {

Ledger::Ledger(std::string owner) : owner_(std::move(owner)) {}

void Ledger::add(long cents) { entries_.push_back(cents); }

long Ledger::balance_cents() const { return std::accumulate(entries_.begin(), entries_.end(), 0L); }

const std::string& Ledger::owner() const { return owner_; }

}  // namespace books
