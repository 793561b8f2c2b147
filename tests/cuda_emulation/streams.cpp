#include "tests/cuda_emulation/streams.h"

#include <cstdlib>
#include <random>
#include <utility>
#include <vector>

namespace emulated {
namespace {

bool early = false;
bool lost = false;

std::vector<Stream*>& streams() {
  static auto& all = *new std::vector<Stream*>;  // memory is freed until the very end
  return all;
}

std::mt19937& chance() {
  static std::mt19937 random;
  return random;
}

}  // namespace

void set_order(bool is_early, bool waits_lost) {
  early = is_early;
  lost = waits_lost;
}

Stream::Stream(int device) : device_(device) {
  const char* seed = std::getenv("AMBIT_EMULATE_STREAMS");
  by_chance_ = seed != nullptr;
  if (by_chance_) chance().seed(static_cast<unsigned>(std::atoi(seed)));
  streams().push_back(this);
}

Stream::~Stream() {
  finish_all();
  std::erase(streams(), this);
}

void Stream::add(Work work, bool may_be_early) {
  items_.push_back({std::move(work), nullptr, 0});
  ++queued_;
  if (by_chance_) return advance_some();
  if (early && may_be_early) run(queued_);
}

void Stream::wait_for(Stream* other, std::uint64_t end) {
  if (lost) return;
  items_.push_back({{}, other, end});
  ++queued_;
}

// An item may run other streams, and those this one up to where it is.
void Stream::run(std::uint64_t end) {
  while (done_ < end) {
    const Item item = std::move(items_.front());
    items_.pop_front();
    if (item.after != nullptr) {
      item.after->run(item.end);
    } else {
      item.work();
    }
    ++done_;
  }
}

bool Stream::one() {
  if (done_ == queued_) return false;
  const Item& next = items_.front();
  if (next.after != nullptr && next.after->done_ < next.end) return false;
  run(done_ + 1);
  return true;
}

void Stream::advance_some() {
  // One at a time falls asleep, long enough for others to come around twice.
  static unsigned asleep = 0, left = 0;
  if (left == 0) {
    asleep = chance()() % static_cast<unsigned>(streams().size());
    left = chance()() % 512;
  }
  if (left > 0) --left;
  const auto chosen = chance()() % static_cast<unsigned>(streams().size());
  if (left > 0 && chosen == asleep) return;
  Stream& stream = *streams()[chosen];
  for (unsigned n = chance()() % 8; n > 0 && stream.one(); --n) {
  }
}

void Stream::finish() {
  while (by_chance_ && done_ < queued_) advance_some();
  run(queued_);
}

void Stream::finish_all() {
  for (Stream* s : streams()) s->finish();
}

}  // namespace emulated
