// The facts of records, compressed in blocks. A place is block << 32 | byte in the block.
//   u32 number of blocks, u32 zero, per block {u64 offset, u32 compressed bytes, u32 bytes}, blocks
// A block is a zstd frame of about kFactsBlockBytes, more when one record has more.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/bytes.h"

namespace ambit::indexer {

inline constexpr std::size_t kFactsBlockBytes = std::size_t{32} << 10;

// Distances that may be negative, as varints want them.
[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
}

class FactsWriter {
 public:
  // Between records only: ends the block when it is full.
  void next_record();
  [[nodiscard]] ByteWriter& out() { return raw_; }
  [[nodiscard]] std::uint64_t place() const {
    return std::uint64_t{blocks_.size()} << 32 | raw_out_size();
  }
  [[nodiscard]] std::string finish();

 private:
  struct Block {
    std::uint64_t offset;
    std::uint32_t compressed, bytes;
  };
  [[nodiscard]] std::uint64_t raw_out_size() const { return raw_.size(); }
  void flush();
  ByteWriter raw_;
  std::vector<Block> blocks_;
  std::string packed_;
};

// The bytes of block `index` of a section, from `byte` on; kept alive by `holder`. Empty when it is
// damaged. Thread-safe; the last block that a thread read is kept.
[[nodiscard]] std::string_view facts_at(std::string_view section, std::uint64_t place,
                                        std::shared_ptr<const std::string>& holder);

}  // namespace ambit::indexer
