#include "inference/kv/disk_store.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>

#include "daemon/support/trace.h"
#include "inference/kv/page_codec.h"

namespace ambit::inference {
namespace {

constexpr std::uint32_t kMagic = 0x32564B41;  // "AKV2"
constexpr std::uint8_t kRows = 1;
constexpr std::uint8_t kCheckpoint = 2;

struct Header {
  std::uint32_t magic = kMagic;
  std::uint8_t kind = 0;
  std::uint8_t zero[3] = {};
  std::uint64_t size = 0;
  PageKey key{};
  PageKey parent{};
  std::uint64_t payload_hash = 0;
  std::uint64_t header_hash = 0;
};
static_assert(sizeof(Header) == 64, "the record's header has no padding");

std::uint64_t hash_of(const Header& h) {
  return XXH3_64bits(&h, offsetof(Header, header_hash));
}

constexpr std::size_t kIdBytes = static_cast<std::size_t>(kPageTokens) * sizeof(TokenId);

}  // namespace

Result<DiskStore> DiskStore::open(const std::filesystem::path& directory, std::uint64_t fingerprint,
                                  std::uint64_t max_bytes, FileSystem& files) {
  AMBIT_CHECK_OK(files.make_private_directory(directory));
  DiskStore store(directory, fingerprint, max_bytes, files);
  std::error_code ec;
  for (std::filesystem::directory_iterator it(directory, ec), end; !ec && it != end;
       it.increment(ec)) {
    const std::string name = it->path().filename().string();
    std::uint64_t number = 0;
    if (name.size() != 15 || name.compare(0, 3, "kv-") != 0 || it->path().extension() != ".seg") {
      continue;
    }
    const auto parsed = std::from_chars(name.data() + 3, name.data() + 11, number);
    if (parsed.ptr != name.data() + 11 || number == 0) continue;
    store.read_segment(number);
  }
  if (ec) return make_error(Code::kIo, "cannot list " + directory.string() + ": " + ec.message());
  return store;
}

std::filesystem::path DiskStore::segment_path(std::uint64_t number) const {
  std::string digits = std::to_string(number);
  digits.insert(0, 8 - std::min<std::size_t>(8, digits.size()), '0');
  return directory_ / ("kv-" + digits + ".seg");
}

void DiskStore::read_segment(std::uint64_t number) {
  std::ifstream in(segment_path(number), std::ios::binary);
  in.seekg(0, std::ios::end);
  const auto end = static_cast<std::uint64_t>(std::max<std::streamoff>(in.tellg(), 0));
  segments_[number] = end;
  std::uint64_t at = 0;
  while (at + sizeof(Header) <= end) {
    Header h;
    in.seekg(static_cast<std::streamoff>(at));
    if (!in.read(reinterpret_cast<char*>(&h), sizeof(h))) return;
    // A torn or foreign record ends the segment: nothing behind it can be found.
    if (h.magic != kMagic || h.header_hash != hash_of(h)) return;
    at += sizeof(Header);
    if (h.size > end - at) return;
    const Location location{number, at, h.size, h.payload_hash};
    if (h.kind == kRows) rows_[h.key] = location;
    if (h.kind == kCheckpoint) checkpoints_[h.key] = location;
    at += h.size;
  }
}

PageKey DiskStore::root() const {
  return {fingerprint_, 0};
}

PageKey DiskStore::key_of(const PageKey& parent, std::span<const TokenId> ids) {
  std::array<char, sizeof(PageKey) + kIdBytes> text{};
  std::memcpy(text.data(), parent.data(), sizeof(PageKey));
  std::memcpy(text.data() + sizeof(PageKey), ids.data(), std::min(kIdBytes, ids.size_bytes()));
  const XXH128_hash_t hash = XXH3_128bits(text.data(), text.size());
  return {hash.low64, hash.high64};
}

bool DiskStore::has_rows(const PageKey& key) const {
  return rows_.contains(key);
}
bool DiskStore::has_checkpoint(const PageKey& key) const {
  return checkpoints_.contains(key);
}

std::uint64_t DiskStore::bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [number, size] : segments_) sum += size;
  return sum;
}

Result<void> DiskStore::make_room(std::uint64_t more) {
  while (!segments_.empty() && bytes() + more > max_bytes_) {
    const std::uint64_t oldest = segments_.begin()->first;
    AMBIT_CHECK_OK(files_->remove(segment_path(oldest)));
    const auto gone = [&](const auto& entry) { return entry.second.segment == oldest; };
    std::erase_if(rows_, gone);
    std::erase_if(checkpoints_, gone);
    segments_.erase(oldest);
    if (current_ == oldest) current_ = 0;
  }
  return {};
}

Result<void> DiskStore::append(std::uint8_t kind, const PageKey& key, const PageKey& parent,
                               std::string_view payload) {
  const std::uint64_t size = sizeof(Header) + payload.size();
  if (size > max_bytes_) {
    return make_error(Code::kResourceExhausted,
                      "a page of state is larger than the disk space allowed for all of them");
  }
  AMBIT_CHECK_OK(make_room(size));
  if (current_ == 0 ||
      segments_[current_] + size > std::min(kSegmentBytes, max_bytes_ / 4 + size)) {
    // A new segment after every start: an old one may end in half a record.
    current_ = segments_.empty() ? 1 : segments_.rbegin()->first + 1;
    segments_[current_] = 0;
  }
  Header h;
  h.kind = kind;
  h.size = payload.size();
  h.key = key;
  h.parent = parent;
  h.payload_hash = XXH3_64bits(payload.data(), payload.size());
  h.header_hash = hash_of(h);
  std::string record(reinterpret_cast<const char*>(&h), sizeof(h));
  record.append(payload);
  dirty_ = true;
  if (auto written = files_->append(segment_path(current_), record); !written) {
    // It may have been written in part: go on in another segment.
    std::error_code ec;
    const auto there = std::filesystem::file_size(segment_path(current_), ec);
    segments_[current_] = ec ? 0 : there;
    current_ = 0;
    return written.error();
  }
  const Location location{current_, segments_[current_] + sizeof(Header), payload.size(),
                          h.payload_hash};
  (kind == kRows ? rows_ : checkpoints_)[key] = location;
  segments_[current_] += size;
  return {};
}

Result<void> DiskStore::put(const PageMaker& maker, const PageKey& key, const PageKey& parent,
                            const Page& page, bool with_checkpoint) {
  if (!maker.on_host()) {
    const PageMaker host(maker.host_shape());
    return put(host, key, parent, *maker.to_host(page), with_checkpoint);
  }
  if (!has_rows(key)) {
    std::string payload(reinterpret_cast<const char*>(page.ids.data()), kIdBytes);
    payload.append(reinterpret_cast<const char*>(page.rows.data()), page.rows.size());
    AMBIT_CHECK_OK(append(kRows, key, parent, payload));
  }
  if (with_checkpoint && page.has_window() && page.has_edge() && !has_checkpoint(key)) {
    const ByteBuffer fresh =
        page.checkpoint ? ByteBuffer() : encode_checkpoint(maker.shape(), page);
    const ByteBuffer& packed = page.checkpoint ? page.checkpoint : fresh;
    AMBIT_CHECK_OK(append(kCheckpoint, key, parent,
                          {reinterpret_cast<const char*>(packed.data()), packed.size()}));
  }
  return {};
}

Result<void> DiskStore::sync() {
  if (!dirty_ || current_ == 0) return {};
  dirty_ = false;
  return files_->sync(segment_path(current_));
}

Result<std::string> DiskStore::read(Index& index, const PageKey& key) {
  const auto it = index.find(key);
  if (it == index.end()) return make_error(Code::kNotFound, "the page is not on disk");
  const Location l = it->second;
  std::string payload(l.size, '\0');
  std::ifstream in(segment_path(l.segment), std::ios::binary);
  in.seekg(static_cast<std::streamoff>(l.offset));
  if (!in.read(payload.data(), static_cast<std::streamsize>(l.size)) ||
      XXH3_64bits(payload.data(), payload.size()) != l.hash) {
    index.erase(it);
    log(LogLevel::kWarning, "kv", "a stored page is damaged; it will be computed again");
    return make_error(Code::kCorrupt, "a stored page is damaged");
  }
  return payload;
}

Result<PagePtr> DiskStore::get(const PageMaker& maker, const PageKey& key,
                               std::span<const TokenId> ids) {
  AMBIT_TRY(rows, read(rows_, key));
  auto page = std::make_shared<Page>();
  if (rows.size() < kIdBytes) return make_error(Code::kCorrupt, "a stored page is too short");
  std::memcpy(page->ids.data(), rows.data(), kIdBytes);
  if (!std::equal(page->ids.begin(), page->ids.end(), ids.begin(), ids.end())) {
    return make_error(Code::kCorrupt, "a stored page holds other tokens");
  }
  AMBIT_TRY(packed_rows,
            page_part(std::string_view(rows).substr(kIdBytes), maker.host_shape().rows_bytes));
  page->rows = std::move(packed_rows);
  page->filled = static_cast<std::int32_t>(kPageTokens);
  if (has_checkpoint(key)) {
    AMBIT_TRY(bytes, read(checkpoints_, key));
    AMBIT_TRY(checkpoint, page_part(bytes, checkpoint_bytes(maker.host_shape())));
    page->checkpoint = std::move(checkpoint);
  }
  if (!maker.on_host()) return maker.from_host(*page);
  return page;
}

}  // namespace ambit::inference
