#include "indexer/store/postings.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "daemon/support/bytes.h"

namespace ambit::indexer {
namespace {

constexpr unsigned kMaxParameter = 24;

class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}
  void bits(std::uint64_t value, unsigned n) {
    held_ |= value << count_;
    count_ += n;
    for (; count_ >= 8; count_ -= 8, held_ >>= 8) out_.push_back(static_cast<char>(held_));
  }
  void ones(std::uint64_t n) {
    for (; n >= 32; n -= 32) bits(0xFFFFFFFF, 32);
    bits((std::uint64_t{1} << n) - 1, static_cast<unsigned>(n));
  }
  void finish() {
    if (count_ != 0) bits(0xFF >> count_, 8 - count_);
  }

 private:
  std::string& out_;
  std::uint64_t held_ = 0;
  unsigned count_ = 0;  // below 8 between calls
};

class BitReader {
 public:
  explicit BitReader(std::string_view bytes) : bytes_(bytes) {}
  bool rice(unsigned k, std::uint64_t& out) {
    std::uint64_t quotient = 0;
    for (;;) {
      fill();
      if (count_ == 0) return false;
      const auto ones = static_cast<unsigned>(std::countr_one(held_));
      if (ones >= count_) {
        quotient += count_;
        held_ = 0;
        count_ = 0;
        continue;
      }
      quotient += ones;
      drop(ones + 1);
      break;
    }
    fill();
    if (count_ < k) return false;
    out = quotient << k | (held_ & ((std::uint64_t{1} << k) - 1));
    drop(k);
    return true;
  }

 private:
  void fill() {
    while (count_ <= 56 && at_ < bytes_.size()) {
      held_ |= std::uint64_t{static_cast<unsigned char>(bytes_[at_++])} << count_;
      count_ += 8;
    }
  }
  void drop(unsigned n) {
    held_ = n >= 64 ? 0 : held_ >> n;
    count_ -= n;
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
  std::uint64_t held_ = 0;
  unsigned count_ = 0;
};

bool varint(std::string_view s, std::size_t& at, std::uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; shift < 64 && at < s.size(); shift += 7) {
    const auto b = static_cast<unsigned char>(s[at++]);
    out |= static_cast<std::uint64_t>(b & 0x7F) << shift;
    if ((b & 0x80) == 0) return true;
  }
  return false;
}

}  // namespace

void read_records(const RecordList& list, std::vector<std::uint32_t>& out) {
  if (!list.packed) {
    std::uint64_t last = 0, distance = 0;
    for (std::size_t at = 0; at < list.bytes.size() && varint(list.bytes, at, distance);) {
      last += distance;
      if (last > 0xFFFFFFFF) return;
      out.push_back(static_cast<std::uint32_t>(last));
    }
    return;
  }
  if (list.bytes.empty()) return;
  const auto k = static_cast<unsigned char>(list.bytes[0]);
  if (k > kMaxParameter) return;
  BitReader in(list.bytes.substr(1));
  std::uint64_t next = 0, distance = 0;
  while (in.rice(k, distance)) {
    next += distance;
    if (next > 0xFFFFFFFF) return;
    out.push_back(static_cast<std::uint32_t>(next++));
  }
}

void TrigramWriter::add(std::uint32_t trigram, const std::vector<std::uint32_t>& records) {
  if (records.empty()) return;
  if (count_ % kTrigramsPerBlock == 0) {
    blocks_.push_back({trigram, static_cast<std::uint32_t>(entries_.size()), lists_.size()});
    last_ = trigram;
  }
  ++count_;
  ByteWriter plain;
  std::uint32_t last = 0;
  for (const auto r : records) {
    plain.varint(r - last);
    last = r;
  }
  // The best k is near the mean distance; what it costs is known without writing it.
  std::string packed;
  if (records.size() > 3) {
    const auto mean = static_cast<double>(records.back() + 1) / static_cast<double>(records.size());
    auto k = mean <= 1.5
                 ? 0U
                 : static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(mean * 0.69)));
    k = std::min(k == 0 ? 0 : k - 1, kMaxParameter);
    packed.reserve(plain.size());
    packed.push_back(static_cast<char>(k));
    BitWriter bits(packed);
    std::uint64_t next = 0;
    for (const auto r : records) {
      const auto distance = r - next;
      bits.ones(distance >> k);
      bits.bits(0, 1);
      bits.bits(distance & ((std::uint64_t{1} << k) - 1), k);
      next = std::uint64_t{r} + 1;
      if (packed.size() > plain.size()) break;
    }
    bits.finish();
  }
  const bool use = !packed.empty() && packed.size() < plain.size();
  const std::string& chosen = use ? packed : plain.data();
  lists_ += chosen;
  ByteWriter entry;
  entry.varint(trigram - last_);
  entry.varint(chosen.size() * 2 + (use ? 1 : 0));
  entries_ += entry.data();
  last_ = trigram;
}

std::string TrigramWriter::table() const {
  ByteWriter out;
  out.write(static_cast<std::uint32_t>(blocks_.size()));
  out.write(std::uint32_t{0});
  for (const auto& b : blocks_) {
    out.write(b.first);
    out.write(b.entries);
    out.write(b.lists);
  }
  out.raw(entries_);
  return out.take();
}

TrigramReader::TrigramReader(std::string_view table, std::string_view lists) : lists_(lists) {
  std::uint32_t n = 0;
  if (table.size() < 8) return;
  std::memcpy(&n, table.data(), sizeof n);
  if (n > (table.size() - 8) / sizeof(Block)) return;
  blocks_ = n;
  table_ = table.substr(8, n * sizeof(Block));
  entries_ = table.substr(8 + n * sizeof(Block));
  if (blocks_ != 0) enter(0);
}

TrigramReader::Block TrigramReader::block(std::size_t i) const {
  Block b;
  std::memcpy(&b, table_.data() + i * sizeof b, sizeof b);
  return b;
}

void TrigramReader::enter(std::size_t i) {
  const auto b = block(i);
  at_block_ = i;
  trigram_ = b.first;
  entry_ = b.entries;
  list_ = b.lists;
  left_ = kTrigramsPerBlock;
}

bool TrigramReader::step(std::uint32_t& trigram, RecordList& list) {
  std::uint64_t distance = 0, size = 0;
  if (left_ == 0 || entry_ >= entries_.size() || !varint(entries_, entry_, distance) ||
      !varint(entries_, entry_, size) || list_ > lists_.size() ||
      size / 2 > lists_.size() - list_) {
    return false;
  }
  --left_;
  trigram_ += static_cast<std::uint32_t>(distance);
  trigram = trigram_;
  list = {lists_.substr(list_, size / 2), (size & 1) != 0};
  list_ += size / 2;
  return true;
}

bool TrigramReader::next(std::uint32_t& trigram, RecordList& list) {
  if (blocks_ == 0) return false;
  if (left_ == 0) {
    if (at_block_ + 1 >= blocks_) return false;
    enter(at_block_ + 1);
  }
  return step(trigram, list);
}

RecordList TrigramReader::find(std::uint32_t wanted) const {
  std::size_t low = 0, high = blocks_;  // the last block whose first is <= wanted
  while (low < high) {
    const auto mid = (low + high) / 2;
    if (block(mid).first <= wanted) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  if (low == 0) return {};
  auto cursor = *this;
  cursor.enter(low - 1);
  std::uint32_t trigram = 0;
  RecordList list;
  while (cursor.step(trigram, list)) {
    if (trigram == wanted) return list;
    if (trigram > wanted) break;
  }
  return {};
}

}  // namespace ambit::indexer
