#include "indexer/store/facts_blocks.h"

#include <zstd.h>

#include <cstring>

namespace ambit::indexer {
namespace {

constexpr int kLevel = 6;
constexpr std::uint32_t kMaxBlock = std::uint32_t{256} << 20;

struct Last {
  const char* section = nullptr;
  std::size_t size = 0;
  std::uint32_t block = 0;
  std::uint64_t check = 0;  // the frame's last bytes: another mapping may come to the same address
  std::shared_ptr<const std::string> bytes;
};

}  // namespace

void FactsWriter::next_record() {
  if (raw_.size() >= kFactsBlockBytes) flush();
}

void FactsWriter::flush() {
  const auto bound = ZSTD_compressBound(raw_.size());
  const auto at = packed_.size();
  packed_.resize(at + bound);
  // With a checksum at its end, by which the block that a thread read last is known again.
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kLevel);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  const auto n =
      ZSTD_compress2(context.get(), packed_.data() + at, bound, raw_.data().data(), raw_.size());
  packed_.resize(at + (ZSTD_isError(n) != 0 ? 0 : n));
  blocks_.push_back({at, static_cast<std::uint32_t>(packed_.size() - at),
                     static_cast<std::uint32_t>(raw_.size())});
  raw_.data().clear();
}

std::string FactsWriter::finish() {
  if (raw_.size() != 0) flush();
  ByteWriter out;
  out.write(static_cast<std::uint32_t>(blocks_.size()));
  out.write(std::uint32_t{0});
  for (const auto& b : blocks_) {
    out.write(b.offset);
    out.write(b.compressed);
    out.write(b.bytes);
  }
  out.raw(packed_);
  packed_.clear();
  blocks_.clear();
  return out.take();
}

std::string_view facts_at(std::string_view section, std::uint64_t place,
                          std::shared_ptr<const std::string>& holder) {
  thread_local Last last;
  struct {
    std::uint64_t offset;
    std::uint32_t compressed, bytes;
  } entry{};
  const auto block = static_cast<std::uint32_t>(place >> 32);
  std::uint32_t count = 0;
  if (section.size() < 8) return {};
  std::memcpy(&count, section.data(), sizeof count);
  if (block >= count || count > (section.size() - 8) / sizeof entry) return {};
  std::memcpy(&entry, section.data() + 8 + block * sizeof entry, sizeof entry);
  const auto frames = section.substr(8 + count * sizeof entry);
  if (entry.offset > frames.size() || entry.compressed > frames.size() - entry.offset ||
      entry.bytes > kMaxBlock) {
    return {};
  }
  const auto frame = frames.substr(entry.offset, entry.compressed);
  std::uint64_t check = 0;
  if (frame.size() >= 8) std::memcpy(&check, frame.data() + frame.size() - 8, sizeof check);
  if (last.bytes == nullptr || last.section != section.data() || last.size != section.size() ||
      last.block != block || last.check != check) {
    auto bytes = std::make_shared<std::string>();
    bytes->resize(entry.bytes);
    const auto n = ZSTD_decompress(bytes->data(), bytes->size(), frame.data(), frame.size());
    if (ZSTD_isError(n) != 0 || n != entry.bytes) return {};
    last = {section.data(), section.size(), block, check, std::move(bytes)};
  }
  holder = last.bytes;
  const auto byte = place & 0xFFFFFFFF;
  return byte > holder->size() ? std::string_view{} : std::string_view(*holder).substr(byte);
}

}  // namespace ambit::indexer
