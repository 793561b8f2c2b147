#include "indexer/store/segment.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "daemon/support/bytes.h"

namespace ambit::indexer {
namespace {

constexpr std::uint32_t kMaxDefinitionsPerRecord = 4'000'000;
constexpr std::uint32_t kIsDefined = 1U << 31;

// Reads past the mapping's page cache accounting, so that checking does not make the file resident.
Result<std::uint64_t> hash_file_from(const std::filesystem::path& file, std::size_t begin) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return make_error(Code::kIo, "cannot open " + file.string());
  auto* state = XXH3_createState();
  XXH3_64bits_reset(state);
  std::vector<char> buffer(1U << 20);
  auto at = static_cast<off_t>(begin);
  for (;;) {
    const auto n = ::pread(fd, buffer.data(), buffer.size(), at);
    if (n <= 0) break;
    XXH3_64bits_update(state, buffer.data(), static_cast<std::size_t>(n));
    at += n;
  }
  const auto hash = XXH3_64bits_digest(state);
  XXH3_freeState(state);
  ::close(fd);
  return hash;
}

// Bounded by the view: a damaged varint ends the iteration.
bool varint(std::string_view s, std::size_t& at, std::uint64_t& out) {
  out = 0;
  for (unsigned shift = 0; shift < 64 && at < s.size(); shift += 7) {
    const auto b = static_cast<unsigned char>(s[at++]);
    out |= static_cast<std::uint64_t>(b & 0x7F) << shift;
    if ((b & 0x80) == 0) return true;
  }
  return false;
}

static_assert(kNamesPerBlock == 32);  // for_each_defined() has a bit for each

struct BlockEntry {
  std::uint64_t names, definitions, references;
};

// Walks the names of one block.
class BlockCursor {
 public:
  BlockCursor(const Segment& s, std::size_t block)
      : names_(s.section(kNames)),
        definitions_(s.section(kDefinitions)),
        references_(s.section(kReferences)) {
    BlockEntry e;
    const auto blocks = s.section(kBlocks);
    std::memcpy(&e, blocks.data() + block * sizeof e, sizeof e);
    at_ = e.names;
    def_ = e.definitions;
    ref_ = e.references;
    left_ = std::min<std::size_t>(kNamesPerBlock, s.name_count() - block * kNamesPerBlock);
  }
  bool next() {
    if (left_ == 0) return false;
    --left_;
    std::uint64_t shared = 0, length = 0, defs = 0, refs = 0;
    if (!varint(names_, at_, shared) || !varint(names_, at_, length) || shared > name.size() ||
        length > names_.size() - at_) {
      left_ = 0;
      return false;
    }
    name.resize(shared);
    name.append(names_.substr(at_, length));
    at_ += length;
    if (!sizes(defs, refs) || def_ > definitions_.size() || defs > definitions_.size() - def_ ||
        ref_ > references_.size() || refs > references_.size() - ref_) {
      left_ = 0;
      return false;
    }
    postings = {definitions_.substr(def_, defs), references_.substr(ref_, refs)};
    def_ += defs;
    ref_ += refs;
    return true;
  }
  std::string name;
  NamePostings postings;

 private:
  bool sizes(std::uint64_t& defs, std::uint64_t& refs) {
    if (at_ >= names_.size()) return false;
    const auto both = static_cast<unsigned char>(names_[at_++]);
    defs = both & 15;
    refs = both >> 4;
    return (defs != kLongPostings || varint(names_, at_, defs)) &&
           (refs != kLongPostings || varint(names_, at_, refs));
  }
  std::string_view names_, definitions_, references_;
  std::size_t at_ = 0, def_ = 0, ref_ = 0, left_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Segment>> Segment::open(const std::filesystem::path& file) {
  AMBIT_TRY(mapped, MappedFile::open(file));
  auto s = std::make_shared<Segment>();
  s->mapped_ = std::move(mapped);
  s->bytes_ = s->mapped_.text();
  s->file_ = file;
  AMBIT_TRY(hash, hash_file_from(file, sizeof(SegmentHeader)));
  if (s->bytes_.size() >= sizeof(SegmentHeader)) {
    SegmentHeader h;
    std::memcpy(&h, s->bytes_.data(), sizeof h);
    if (h.body_hash != hash) {
      return make_error(Code::kCorrupt, "the index segment " + file.string() + " is damaged");
    }
  }
  return adopt(std::move(s), false);
}

Result<std::shared_ptr<const Segment>> Segment::from_memory(std::string bytes) {
  auto s = std::make_shared<Segment>();
  s->memory_ = std::move(bytes);
  s->bytes_ = s->memory_;
  return adopt(std::move(s), true);
}

Result<std::shared_ptr<const Segment>> Segment::adopt(std::shared_ptr<Segment> s,
                                                      bool verify_body) {
  const auto bad = [&](const char* why) {
    return make_error(Code::kCorrupt, "the index segment " + s->file_.string() + " " + why);
  };
  auto& h = s->header_;
  if (s->bytes_.size() < sizeof h) return bad("is too short");
  std::memcpy(&h, s->bytes_.data(), sizeof h);
  if (std::memcmp(h.magic, "AMBITSEG", 8) != 0) return bad("is not one of ours");
  if (h.version != kSegmentVersion || h.extractor != kExtractorVersion) {
    return make_error(Code::kUnsupported,
                      "the index segment " + s->file_.string() + " is of another version of Ambit");
  }
  if (XXH3_64bits(&h, offsetof(SegmentHeader, header_hash)) != h.header_hash ||
      h.size != s->bytes_.size()) {
    return bad("is damaged");
  }
  for (const auto& sec : h.sections) {
    if (sec.offset % 8 != 0 || sec.offset > h.size || sec.size > h.size - sec.offset) {
      return bad("has a bad section");
    }
  }
  const std::uint64_t blocks = (h.names + kNamesPerBlock - 1) / kNamesPerBlock;
  if (h.sections[kRecords].size != std::uint64_t{h.records} * sizeof(RecordEntry) ||
      h.sections[kByBlob].size != std::uint64_t{h.records} * 4 ||
      h.sections[kBlocks].size != blocks * sizeof(BlockEntry)) {
    return bad("has a bad section");
  }
  if (verify_body &&
      XXH3_64bits(s->bytes_.data() + sizeof h, s->bytes_.size() - sizeof h) != h.body_hash) {
    return bad("is damaged");
  }
  return std::shared_ptr<const Segment>(std::move(s));
}

std::string_view Segment::section(Section s) const {
  const auto& x = header_.sections[s];
  return bytes_.substr(x.offset, x.size);
}

const RecordEntry& Segment::record(std::uint32_t i) const {
  return reinterpret_cast<const RecordEntry*>(section(kRecords).data())[i];
}

BlobId Segment::blob(std::uint32_t i) const {
  BlobId id;
  std::memcpy(id.bytes.data(), record(i).blob, 32);
  return id;
}

void Segment::find(const BlobId& blob, std::vector<std::uint32_t>& out) const {
  const auto* order = reinterpret_cast<const std::uint32_t*>(section(kByBlob).data());
  const auto* end = order + header_.records;
  const auto less = [&](std::uint32_t r, const BlobId& b) {
    return r < header_.records && std::memcmp(record(r).blob, b.bytes.data(), 32) < 0;
  };
  for (auto it = std::lower_bound(order, end, blob, less);
       it != end && *it < header_.records &&
       std::memcmp(record(*it).blob, blob.bytes.data(), 32) == 0;
       ++it) {
    out.push_back(*it);
  }
}

std::vector<StoredDefinition> Segment::decode(std::uint32_t index, std::size_t limit,
                                              std::vector<std::uint32_t>& name_ids) const {
  std::vector<StoredDefinition> out;
  if (index >= header_.records) return out;
  const auto& r = record(index);
  if (r.definitions == 0 || r.definitions > kMaxDefinitionsPerRecord) return out;
  std::shared_ptr<const std::string> holder;
  ByteReader in(facts_at(section(kFacts), r.facts, holder));
  out.reserve(std::min<std::uint32_t>(r.definitions, 65536));
  std::uint32_t last_id = 0, last_name = 0, last_line = 0;
  for (std::uint32_t i = 0; i < r.definitions && i < limit && in.ok(); ++i) {
    StoredDefinition s;
    auto& d = s.d;
    const auto u32 = [&] { return static_cast<std::uint32_t>(in.varint()); };
    last_id = static_cast<std::uint32_t>(last_id + unzigzag(in.varint()));
    const auto bits = u32();
    d.kind = static_cast<SymbolKind>(bits & 31);
    d.exported = (bits & 32) != 0;
    d.declaration_only = (bits & 64) != 0;
    d.name.begin = static_cast<std::uint32_t>(last_name + unzigzag(in.varint()));
    d.name.end = d.name.begin;
    d.line = static_cast<std::uint32_t>(last_line + unzigzag(in.varint()));
    last_name = d.name.begin;
    last_line = d.line;
    d.column = u32();
    d.declaration = d.name.begin - static_cast<std::uint32_t>(unzigzag(in.varint()));
    d.signature_end = d.declaration + u32();
    d.span.begin = d.declaration - u32();
    d.span.end = d.signature_end + u32();
    d.end_line = d.line + u32();
    if ((bits & 128) != 0) {
      const auto back = u32();
      d.parent = back == 0 ? -1 : static_cast<std::int32_t>(i) - static_cast<std::int32_t>(back);
      d.owner = in.string();
      d.doc.begin = d.span.begin + u32();
      d.doc.end = d.doc.begin + u32();
      if (d.doc.end == d.doc.begin) d.doc = {};
      if (d.parent < -1) d.parent = -1;
    }
    if (!in.ok()) break;
    out.push_back(std::move(s));
    name_ids.push_back(last_id);
  }
  return out;
}

std::vector<StoredDefinition> Segment::definitions(std::uint32_t index) const {
  std::vector<std::uint32_t> ids;
  auto out = decode(index, kMaxDefinitionsPerRecord, ids);
  // Each block of names is read once.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> order;
  order.reserve(out.size());
  for (std::uint32_t i = 0; i < out.size(); ++i) order.emplace_back(ids[i], i);
  std::sort(order.begin(), order.end());
  for (std::size_t k = 0; k < order.size();) {
    const auto block = order[k].first / kNamesPerBlock;
    if (order[k].first >= header_.names) break;
    BlockCursor c(*this, block);
    for (std::uint32_t id = block * kNamesPerBlock; c.next(); ++id) {
      for (; k < order.size() && order[k].first == id; ++k) out[order[k].second].name = c.name;
    }
    while (k < order.size() && order[k].first / kNamesPerBlock == block) ++k;  // damaged
  }
  for (auto& s : out) s.d.name.end += static_cast<std::uint32_t>(s.name.size());
  return out;
}

std::vector<StoredDefinition> Segment::definitions(std::uint32_t index,
                                                   const std::vector<std::uint32_t>& wanted) const {
  if (wanted.empty()) return {};
  std::vector<std::uint32_t> ids;
  auto out = decode(index, std::size_t{*std::max_element(wanted.begin(), wanted.end())} + 1, ids);
  for (auto i : wanted) {
    while (i < out.size() && out[i].name.empty()) {
      out[i].name = name(ids[i]);
      out[i].d.name.end += static_cast<std::uint32_t>(out[i].name.size());
      if (out[i].d.parent < 0 || static_cast<std::uint32_t>(out[i].d.parent) >= i) break;
      i = static_cast<std::uint32_t>(out[i].d.parent);
    }
  }
  return out;
}

std::vector<std::string> Segment::imports(std::uint32_t index) const {
  std::vector<std::string> out;
  if (index >= header_.records) return out;
  const auto& r = record(index);
  if (r.imports == 0 || (r.facts & 0xFFFFFFFF) < r.import_bytes) return out;
  std::shared_ptr<const std::string> holder;
  ByteReader in(facts_at(section(kFacts), r.facts - r.import_bytes, holder));
  for (std::uint32_t i = 0; i < r.imports && in.ok(); ++i) {
    out.push_back(name(static_cast<std::uint32_t>(in.varint())));
  }
  return out;
}

std::string Segment::name(std::uint32_t id) const {
  if (id >= header_.names) return {};
  BlockCursor c(*this, id / kNamesPerBlock);
  for (std::size_t i = 0; i <= id % kNamesPerBlock; ++i) {
    if (!c.next()) return {};
  }
  return std::move(c.name);
}

std::optional<NamePostings> Segment::lookup(std::string_view wanted) const {
  const std::size_t blocks = (header_.names + kNamesPerBlock - 1) / kNamesPerBlock;
  std::size_t low = 0, high = blocks;  // the last block whose first name is <= wanted
  while (low < high) {
    const auto mid = (low + high) / 2;
    BlockCursor c(*this, mid);
    if (c.next() && c.name <= wanted) {
      low = mid + 1;
    } else {
      high = mid;
    }
  }
  if (low == 0) return std::nullopt;
  BlockCursor c(*this, low - 1);
  while (c.next()) {
    if (c.name == wanted) return c.postings;
    if (c.name > wanted) break;
  }
  return std::nullopt;
}

std::uint32_t Segment::letters_of(std::string_view name) {
  std::uint32_t out = 0;
  for (const char c : name) {
    const auto letter = static_cast<unsigned>(c | 0x20) - 'a';
    if (letter < 26) {
      out |= 1U << letter;
    } else if (c >= '0' && c <= '9') {
      out |= 1U << (26 + (c - '0') % 5);
    }
  }
  return out;
}

void Segment::for_each_defined(std::uint32_t letters,
                               const std::function<void(std::string_view)>& f) const {
  const std::size_t blocks = (header_.names + kNamesPerBlock - 1) / kNamesPerBlock;
  std::call_once(letters_once_, [&] {
    letters_.resize(blocks * kNamesPerBlock);
    for (std::size_t b = 0; b < blocks; ++b) {
      BlockCursor c(*this, b);
      for (auto at = b * kNamesPerBlock; c.next(); ++at) {
        if (!c.postings.definitions.empty()) letters_[at] = letters_of(c.name) | kIsDefined;
      }
    }
  });
  letters |= kIsDefined;
  for (std::size_t b = 0; b < blocks; ++b) {
    const auto* of = letters_.data() + b * kNamesPerBlock;
    std::uint32_t fits = 0;
    for (std::size_t i = 0; i < kNamesPerBlock; ++i)
      fits |= static_cast<std::uint32_t>((of[i] & letters) == letters) << i;
    if (fits == 0) continue;
    BlockCursor c(*this, b);
    for (; fits != 0 && c.next(); fits >>= 1) {
      if ((fits & 1) != 0) f(c.name);
    }
  }
}

void Segment::block(std::size_t index, std::vector<std::string>& names,
                    std::vector<NamePostings>& postings) const {
  BlockCursor c(*this, index);
  while (c.next()) {
    names.push_back(c.name);
    postings.push_back(c.postings);
  }
}

void Segment::copy_facts(std::uint32_t index, const std::vector<std::uint32_t>& name_ids,
                         FactsWriter& writer, RecordEntry& entry) const {
  const auto& r = record(index);
  writer.next_record();
  auto& out = writer.out();
  const auto imports_at = out.size();
  entry.facts = writer.place();
  if (r.definitions == 0 && r.imports == 0) {
    entry.import_bytes = 0;
    return;
  }
  std::shared_ptr<const std::string> holder;
  const auto facts = facts_at(section(kFacts), r.facts - r.import_bytes, holder);
  if ((r.facts & 0xFFFFFFFF) < r.import_bytes || holder == nullptr) {
    entry.definitions = entry.imports = entry.import_bytes = 0;
    return;
  }
  const auto translated = [&](std::uint64_t id) {
    return id < name_ids.size() ? name_ids[id] : 0U;
  };
  ByteReader in(facts);
  for (std::uint32_t i = 0; i < r.imports; ++i) out.varint(translated(in.varint()));
  entry.facts = writer.place();
  entry.import_bytes = static_cast<std::uint32_t>(out.size() - imports_at);
  std::uint32_t last_in = 0, last_out = 0;
  for (std::uint32_t i = 0; i < r.definitions && in.ok(); ++i) {
    last_in = static_cast<std::uint32_t>(last_in + unzigzag(in.varint()));
    const auto id = translated(last_in);
    out.varint(zigzag(static_cast<std::int64_t>(id) - last_out));
    last_out = id;
    const auto bits = in.varint();
    out.varint(bits);
    for (int k = 0; k < 8; ++k) out.varint(in.varint());
    if ((bits & 128) != 0) {
      out.varint(in.varint());
      out.string(in.string());
      out.varint(in.varint());
      out.varint(in.varint());
    }
  }
}

RecordList Segment::texts_with(std::uint32_t trigram) const {
  return TrigramReader(section(kTrigrams), section(kTexts)).find(trigram);
}

void Segment::decode_records(std::string_view postings, std::vector<std::uint32_t>& out) {
  std::uint64_t last = 0, delta = 0;
  for (std::size_t at = 0; at < postings.size() && varint(postings, at, delta);) {
    last += delta;
    out.push_back(static_cast<std::uint32_t>(last));
  }
}

void Segment::decode_definitions(std::string_view postings,
                                 std::vector<std::pair<std::uint32_t, std::uint32_t>>& out) {
  std::uint64_t last = 0, delta = 0, index = 0;
  for (std::size_t at = 0;
       at < postings.size() && varint(postings, at, delta) && varint(postings, at, index);) {
    last += delta;
    out.emplace_back(static_cast<std::uint32_t>(last), static_cast<std::uint32_t>(index));
  }
}

}  // namespace ambit::indexer
