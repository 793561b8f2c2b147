// Which records have a trigram, small. A list of ascending record numbers is written in the shorter
// of two ways:
//   plain   varints of the distances
//   packed  one byte k, then Rice codes of (distance - 1) with parameter k: the quotient in unary
//           (ones, then a zero), k low bits; least significant bit first, padded with ones
// A trigram that most of 4,000 files have costs 2 to 4 bits a file instead of 8.
//
// The table of trigrams, sorted, in blocks of kTrigramsPerBlock:
//   u32 number of blocks, u32 zero, per block {u32 first trigram, u32 offset in the entries,
//   u64 offset in the lists}, then the entries: varint distance to the trigram before (0 for the
//   first of a block), varint 2 * bytes of its list + packed
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ambit::indexer {

inline constexpr std::size_t kTrigramsPerBlock = 64;

struct RecordList {
  std::string_view bytes;
  bool packed = false;
};

// Appends the numbers of the list; damaged bytes end it.
void read_records(const RecordList& list, std::vector<std::uint32_t>& out);

// Collects lists in the order of their trigrams.
class TrigramWriter {
 public:
  void add(std::uint32_t trigram, const std::vector<std::uint32_t>& records);  // ascending, unique
  [[nodiscard]] std::string table() const;
  [[nodiscard]] const std::string& lists() const { return lists_; }

 private:
  struct Block {
    std::uint32_t first, entries;
    std::uint64_t lists;
  };
  std::vector<Block> blocks_;
  std::string entries_, lists_;
  std::uint32_t last_ = 0;
  std::size_t count_ = 0;
};

// Reads tables in place. Every offset is checked; what does not fit ends the iteration.
class TrigramReader {
 public:
  TrigramReader(std::string_view table, std::string_view lists);
  [[nodiscard]] RecordList find(std::uint32_t trigram) const;  // empty when no text has it
  // One after the other, from the first; false at the end.
  bool next(std::uint32_t& trigram, RecordList& list);

 private:
  struct Block {
    std::uint32_t first = 0, entries = 0;
    std::uint64_t lists = 0;
  };
  [[nodiscard]] Block block(std::size_t i) const;
  void enter(std::size_t i);
  bool step(std::uint32_t& trigram, RecordList& list);

  std::string_view table_, entries_, lists_;
  std::size_t blocks_ = 0, at_block_ = 0, left_ = 0;
  std::size_t entry_ = 0;
  std::uint64_t list_ = 0;
  std::uint32_t trigram_ = 0;
};

}  // namespace ambit::indexer
