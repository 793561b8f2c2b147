// The writing side. Names get provisional numbers while facts come in; finish() sorts them,
// renumbers and writes every section once.
#include <xxhash.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <deque>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "daemon/support/bytes.h"
#include "indexer/secrets.h"
#include "indexer/store/segment.h"

namespace ambit::indexer {
namespace {

constexpr std::size_t kMaxNameBytes = 512;  // longer words are not names
constexpr std::size_t kLeastSecretBytes = 16;

struct NameHash {
  std::size_t operator()(std::string_view s) const { return XXH3_64bits(s.data(), s.size()); }
};

struct DefinitionUse {
  std::uint32_t name, record, index;
};
struct Mentioned {
  std::uint32_t name, record;
};

// LSD radix sort of u64 by the 24 bits from `shift`; stable, so records stay in order.
void sort_by_trigram(std::vector<std::uint64_t>& v) {
  std::vector<std::uint64_t> other(v.size());
  for (unsigned shift = 32; shift < 56; shift += 12) {
    std::vector<std::size_t> count(4097, 0);
    for (const auto x : v) ++count[((x >> shift) & 4095) + 1];
    std::partial_sum(count.begin(), count.end(), count.begin());
    for (const auto x : v) other[count[(x >> shift) & 4095]++] = x;
    v.swap(other);
  }
}

}  // namespace

struct SegmentBuilder::State {
  std::vector<RecordEntry> records;
  std::vector<Definition> definitions;          // of all records, in order
  std::vector<std::uint32_t> definition_names;  // beside them
  std::vector<std::uint32_t> import_names;
  std::vector<DefinitionUse> uses;
  std::vector<Mentioned> mentions;
  std::vector<std::uint64_t> trigrams;  // trigram << 32 | record
  std::deque<std::string> arena;
  std::size_t arena_used = 0;
  std::unordered_map<std::string_view, std::uint32_t, NameHash> names;
  std::vector<std::string_view> name_texts;
  std::vector<std::uint32_t> last_mention;  // by name: record + 1
  std::vector<std::uint64_t> seen = std::vector<std::uint64_t>((std::size_t{1} << 24) / 64);
  std::vector<std::uint32_t> found;

  std::uint32_t intern(std::string_view s) {
    if (const auto it = names.find(s); it != names.end()) return it->second;
    constexpr std::size_t kChunk = std::size_t{1} << 20;
    if (arena.empty() || arena.back().size() + s.size() > arena.back().capacity()) {
      arena.emplace_back();
      arena.back().reserve(std::max(kChunk, s.size()));
    }
    auto& chunk = arena.back();
    const auto at = chunk.size();
    chunk.append(s);
    const std::string_view kept(chunk.data() + at, s.size());
    const auto id = static_cast<std::uint32_t>(name_texts.size());
    names.emplace(kept, id);
    name_texts.push_back(kept);
    last_mention.push_back(0);
    return id;
  }

  // The same of a word that nobody means as a name, maybe: nothing for a secret pasted into code.
  std::optional<std::uint32_t> intern_word(std::string_view s) {
    if (const auto it = names.find(s); it != names.end()) return it->second;
    if (s.size() >= kLeastSecretBytes && !find_secrets(s).empty()) return std::nullopt;
    return intern(s);
  }

  void add_trigrams(std::string_view text, std::uint32_t record) {
    found.clear();
    if (text.size() >= 3) {
      std::uint32_t t =
          static_cast<unsigned char>(text[0]) << 8 | static_cast<unsigned char>(text[1]);
      for (std::size_t i = 2; i < text.size(); ++i) {
        t = (t << 8 | static_cast<unsigned char>(text[i])) & 0xFFFFFF;
        auto& word = seen[t >> 6];
        const auto bit = std::uint64_t{1} << (t & 63);
        if ((word & bit) == 0) {
          word |= bit;
          found.push_back(t);
        }
      }
    }
    for (const auto t : found) {
      seen[t >> 6] = 0;
      // Trigrams over a line end narrow nothing down that lines could match.
      if ((t & 0xFF) == '\n' || ((t >> 8) & 0xFF) == '\n' || (t >> 16) == '\n') continue;
      trigrams.push_back(std::uint64_t{t} << 32 | record);
    }
  }
};

SegmentBuilder::SegmentBuilder() : state_(std::make_unique<State>()) {}
SegmentBuilder::SegmentBuilder(SegmentBuilder&&) noexcept = default;
SegmentBuilder::~SegmentBuilder() = default;

std::size_t SegmentBuilder::records() const {
  return state_->records.size();
}

std::size_t SegmentBuilder::memory_bytes() const {
  const auto& s = *state_;
  return s.trigrams.capacity() * 16 + s.mentions.capacity() * 8 + s.uses.capacity() * 12 +
         s.definitions.capacity() * sizeof(Definition) + s.name_texts.size() * 80 +
         (s.arena.size() << 20);
}

void SegmentBuilder::add(const Input& in) {
  auto& s = *state_;
  const auto record = static_cast<std::uint32_t>(s.records.size());
  RecordEntry e{};
  std::memcpy(e.blob, in.blob.bytes.data(), 32);
  e.bytes = static_cast<std::uint32_t>(in.text.size());
  e.language = in.language;
  e.file_class = in.file_class;
  e.flags = in.gave_up ? 1 : 0;
  const auto slice = [&](ByteSpan span) { return in.text.substr(span.begin, span.size()); };
  if (in.facts != nullptr) {
    for (const auto& d : in.facts->definitions) {
      const auto name = s.intern(slice(d.name).substr(0, kMaxNameBytes));
      s.uses.push_back({name, record, e.definitions++});
      s.definition_names.push_back(name);
      s.definitions.push_back(d);
    }
    for (const auto& m : in.facts->mentions) {
      if (m.span.size() > kMaxNameBytes) continue;
      const auto name = s.intern_word(slice(m.span));
      if (!name) continue;
      ++e.mentions;
      if (s.last_mention[*name] == record + 1) continue;
      s.last_mention[*name] = record + 1;
      s.mentions.push_back({*name, record});
    }
    for (const auto& i : in.facts->imports) {
      if (i.module.size() > kMaxNameBytes) continue;
      const auto name = s.intern_word(slice(i.module));
      if (!name) continue;
      s.import_names.push_back(*name);
      ++e.imports;
    }
    e.errors = static_cast<std::uint8_t>(std::min<std::size_t>(in.facts->errors.size(), 255));
  }
  s.records.push_back(e);
  if (in.index_text) s.add_trigrams(in.text, record);
}

namespace {

// Sections are appended to one string; offsets are filled in as they end.
class Output {
 public:
  Output() { out_.resize(sizeof(SegmentHeader)); }
  void begin(Section s) {
    out_.resize((out_.size() + 7) / 8 * 8);
    header_.sections[s].offset = out_.size();
  }
  void end(Section s) { header_.sections[s].size = out_.size() - header_.sections[s].offset; }
  void section(Section s, std::string_view bytes) {
    begin(s);
    out_.append(bytes);
    end(s);
  }
  std::string finish(std::uint32_t records, std::uint32_t names) {
    std::memcpy(header_.magic, "AMBITSEG", 8);
    header_.version = kSegmentVersion;
    header_.extractor = kExtractorVersion;
    header_.records = records;
    header_.names = names;
    header_.size = out_.size();
    header_.body_hash = XXH3_64bits(out_.data() + sizeof header_, out_.size() - sizeof header_);
    header_.header_hash = XXH3_64bits(&header_, offsetof(SegmentHeader, header_hash));
    std::memcpy(out_.data(), &header_, sizeof header_);
    return std::move(out_);
  }

 private:
  SegmentHeader header_{};
  std::string out_;
};

template <class T>
std::string_view as_bytes(const std::vector<T>& v) {
  return {reinterpret_cast<const char*>(v.data()), v.size() * sizeof(T)};
}

std::vector<std::uint32_t> order_by_blob(const std::vector<RecordEntry>& records) {
  std::vector<std::uint32_t> order(records.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const int c = std::memcmp(records[a].blob, records[b].blob, 32);
    return c != 0 ? c < 0 : records[a].language < records[b].language;
  });
  return order;
}

// What the definition before had: numbers are written as distances to it. Names that stand together
// mostly sort together, so their numbers are close as well.
struct Before {
  std::uint32_t id = 0, name = 0, line = 0;
};

void write_definition(ByteWriter& w, std::uint32_t id, const Definition& d, std::uint32_t index,
                      Before& last) {
  const bool extra = d.parent >= 0 || !d.owner.empty() || d.doc.end != 0;
  w.varint(zigzag(static_cast<std::int64_t>(id) - last.id));
  w.varint(static_cast<std::uint32_t>(d.kind) | (d.exported ? 32U : 0U) |
           (d.declaration_only ? 64U : 0U) | (extra ? 128U : 0U));
  w.varint(zigzag(static_cast<std::int64_t>(d.name.begin) - last.name));
  w.varint(zigzag(static_cast<std::int64_t>(d.line) - last.line));
  last = {id, d.name.begin, d.line};
  w.varint(d.column);
  w.varint(zigzag(static_cast<std::int64_t>(d.name.begin) - d.declaration));
  w.varint(d.signature_end - d.declaration);
  w.varint(d.declaration - d.span.begin);
  w.varint(d.span.end - d.signature_end);
  w.varint(d.end_line - d.line);
  if (extra) {
    w.varint(d.parent < 0 ? 0 : index - static_cast<std::uint32_t>(d.parent));
    w.string(d.owner);
    w.varint(d.doc.end == 0 ? 0 : d.doc.begin - d.span.begin);
    w.varint(d.doc.end - d.doc.begin);
  }
}

// Names in order with their lists: writes the three sections that belong together.
class NameWriter {
 public:
  void add(std::string_view name, std::string_view definitions, std::string_view references) {
    if (count_ % kNamesPerBlock == 0) {
      blocks_.push_back(names_.size());
      blocks_.push_back(definitions_.size());
      blocks_.push_back(references_.size());
      last_.clear();
    }
    std::size_t shared = 0;
    while (shared < last_.size() && shared < name.size() && last_[shared] == name[shared]) ++shared;
    names_.varint(shared);
    names_.string(name.substr(shared));
    const auto d = std::min(definitions.size(), kLongPostings);
    const auto r = std::min(references.size(), kLongPostings);
    names_.write(static_cast<std::uint8_t>(d | r << 4));
    if (d == kLongPostings) names_.varint(definitions.size());
    if (r == kLongPostings) names_.varint(references.size());
    definitions_ += definitions;
    references_ += references;
    last_ = name;
    ++count_;
  }
  void write(Output& out) {
    out.section(kNames, names_.data());
    out.section(kBlocks, as_bytes(blocks_));
    out.section(kDefinitions, definitions_);
    out.section(kReferences, references_);
  }
  [[nodiscard]] std::uint32_t count() const { return count_; }

 private:
  ByteWriter names_;
  std::vector<std::uint64_t> blocks_;
  std::string definitions_, references_, last_;
  std::uint32_t count_ = 0;
};

}  // namespace

std::string SegmentBuilder::finish() {
  auto& s = *state_;
  std::vector<std::uint32_t> order(s.name_texts.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(),
            [&](std::uint32_t a, std::uint32_t b) { return s.name_texts[a] < s.name_texts[b]; });
  std::vector<std::uint32_t> rank(order.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) rank[order[i]] = i;

  FactsWriter writer;
  auto& facts = writer.out();
  std::size_t next_definition = 0, next_import = 0;
  for (auto& e : s.records) {
    writer.next_record();
    const auto imports_at = facts.size();
    for (std::uint32_t i = 0; i < e.imports; ++i) facts.varint(rank[s.import_names[next_import++]]);
    e.facts = writer.place();
    e.import_bytes = static_cast<std::uint32_t>(facts.size() - imports_at);
    Before last;
    for (std::uint32_t i = 0; i < e.definitions; ++i, ++next_definition) {
      const auto name = s.definition_names[next_definition];
      write_definition(facts, rank[name], s.definitions[next_definition], i, last);
    }
  }

  // Postings: uses and mentions came in record order, so a stable bucket by name is enough.
  std::vector<std::uint32_t> first_use(order.size() + 1, 0), first_mention(order.size() + 1, 0);
  for (const auto& u : s.uses) ++first_use[rank[u.name] + 1];
  for (const auto& m : s.mentions) ++first_mention[rank[m.name] + 1];
  std::partial_sum(first_use.begin(), first_use.end(), first_use.begin());
  std::partial_sum(first_mention.begin(), first_mention.end(), first_mention.begin());
  std::vector<DefinitionUse> uses(s.uses.size());
  std::vector<std::uint32_t> mentions(s.mentions.size());
  {
    auto at = first_use;
    for (const auto& u : s.uses) uses[at[rank[u.name]]++] = u;
    at = first_mention;
    for (const auto& m : s.mentions) mentions[at[rank[m.name]]++] = m.record;
  }
  NameWriter names;
  ByteWriter definitions, references;
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    definitions.data().clear();
    references.data().clear();
    std::uint32_t last = 0;
    for (auto u = first_use[i]; u < first_use[i + 1]; ++u) {
      definitions.varint(uses[u].record - last);
      definitions.varint(uses[u].index);
      last = uses[u].record;
    }
    last = 0;
    for (auto m = first_mention[i]; m < first_mention[i + 1]; ++m) {
      references.varint(mentions[m] - last);
      last = mentions[m];
    }
    names.add(s.name_texts[order[i]], definitions.data(), references.data());
  }

  sort_by_trigram(s.trigrams);
  TrigramWriter trigrams;
  std::vector<std::uint32_t> list;
  for (std::size_t i = 0; i < s.trigrams.size();) {
    const auto t = static_cast<std::uint32_t>(s.trigrams[i] >> 32);
    list.clear();
    for (; i < s.trigrams.size() && s.trigrams[i] >> 32 == t; ++i)
      list.push_back(static_cast<std::uint32_t>(s.trigrams[i]));
    trigrams.add(t, list);
  }
  s.trigrams = {};

  Output out;
  out.section(kRecords, as_bytes(s.records));
  out.section(kByBlob, as_bytes(order_by_blob(s.records)));
  out.section(kFacts, writer.finish());
  names.write(out);
  out.section(kTrigrams, trigrams.table());
  out.section(kTexts, trigrams.lists());
  auto bytes = out.finish(static_cast<std::uint32_t>(s.records.size()), names.count());
  state_ = std::make_unique<State>();
  return bytes;
}

std::string merge_segments(const std::vector<std::shared_ptr<const Segment>>& segments,
                           const std::function<bool(std::size_t, std::uint32_t)>& keep) {
  constexpr std::uint32_t kGone = 0xFFFFFFFF;
  std::vector<RecordEntry> records;
  std::vector<std::vector<std::uint32_t>> renumber(segments.size());
  for (std::size_t s = 0; s < segments.size(); ++s) {
    renumber[s].assign(segments[s]->record_count(), kGone);
    for (std::uint32_t r = 0; r < segments[s]->record_count(); ++r) {
      if (!keep(s, r)) continue;
      renumber[s][r] = static_cast<std::uint32_t>(records.size());
      records.push_back(segments[s]->record(r));
    }
  }
  // Names: a merge of sorted lists; each segment's ids map to the new ones.
  struct Cursor {
    std::vector<std::string> block;
    std::vector<NamePostings> postings;
    std::uint32_t next = 0;  // name id
  };
  std::vector<std::vector<std::uint32_t>> name_ids(segments.size());
  std::vector<Cursor> cursors(segments.size());
  const auto fill = [&](std::size_t s) {
    auto& c = cursors[s];
    if (c.next % kNamesPerBlock != 0 || c.next >= segments[s]->name_count()) return;
    c.block.clear();
    c.postings.clear();
    segments[s]->block(c.next / kNamesPerBlock, c.block, c.postings);
  };
  for (std::size_t s = 0; s < segments.size(); ++s) {
    name_ids[s].assign(segments[s]->name_count(), kGone);
    fill(s);
  }
  NameWriter names;
  ByteWriter definitions, references;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs;
  std::vector<std::uint32_t> list;
  for (;;) {
    const std::string* smallest = nullptr;
    for (std::size_t s = 0; s < segments.size(); ++s) {
      auto& c = cursors[s];
      if (c.next >= segments[s]->name_count() || c.block.size() <= c.next % kNamesPerBlock)
        continue;
      const auto& n = c.block[c.next % kNamesPerBlock];
      if (smallest == nullptr || n < *smallest) smallest = &n;
    }
    if (smallest == nullptr) break;
    const std::string name = *smallest;
    definitions.data().clear();
    references.data().clear();
    std::uint32_t last_definition = 0, last_reference = 0;
    for (std::size_t s = 0; s < segments.size(); ++s) {
      auto& c = cursors[s];
      if (c.next >= segments[s]->name_count() || c.block.size() <= c.next % kNamesPerBlock)
        continue;
      if (c.block[c.next % kNamesPerBlock] != name) continue;
      name_ids[s][c.next] = names.count();
      const auto& p = c.postings[c.next % kNamesPerBlock];
      pairs.clear();
      list.clear();
      Segment::decode_definitions(p.definitions, pairs);
      Segment::decode_records(p.references, list);
      for (const auto& [r, index] : pairs) {
        if (r >= renumber[s].size() || renumber[s][r] == kGone) continue;
        definitions.varint(renumber[s][r] - last_definition);
        definitions.varint(index);
        last_definition = renumber[s][r];
      }
      for (const auto r : list) {
        if (r >= renumber[s].size() || renumber[s][r] == kGone) continue;
        references.varint(renumber[s][r] - last_reference);
        last_reference = renumber[s][r];
      }
      ++c.next;
      fill(s);
    }
    names.add(name, definitions.data(), references.data());
  }
  cursors.clear();

  FactsWriter facts;
  std::size_t next = 0;
  for (std::size_t s = 0; s < segments.size(); ++s) {
    for (std::uint32_t r = 0; r < segments[s]->record_count(); ++r) {
      if (renumber[s][r] == kGone) continue;
      auto& e = records[next++];
      segments[s]->copy_facts(r, name_ids[s], facts, e);
    }
    name_ids[s] = {};
  }

  TrigramWriter trigrams;
  struct Texts {
    TrigramReader reader;
    std::uint32_t trigram = kGone;
    RecordList list;
  };
  std::vector<Texts> texts;
  for (const auto& s : segments) {
    texts.push_back({TrigramReader(s->section(kTrigrams), s->section(kTexts)), kGone, {}});
    auto& t = texts.back();
    if (!t.reader.next(t.trigram, t.list)) t.trigram = kGone;
  }
  std::vector<std::uint32_t> kept;
  for (;;) {
    std::uint32_t smallest = kGone;
    for (const auto& t : texts) smallest = std::min(smallest, t.trigram);
    if (smallest == kGone) break;
    kept.clear();
    for (std::size_t s = 0; s < segments.size(); ++s) {
      auto& t = texts[s];
      if (t.trigram != smallest) continue;
      list.clear();
      read_records(t.list, list);
      for (const auto r : list) {
        if (r < renumber[s].size() && renumber[s][r] != kGone) kept.push_back(renumber[s][r]);
      }
      if (!t.reader.next(t.trigram, t.list)) t.trigram = kGone;
    }
    trigrams.add(smallest, kept);
  }

  Output out;
  out.section(kRecords, as_bytes(records));
  out.section(kByBlob, as_bytes(order_by_blob(records)));
  out.section(kFacts, facts.finish());
  names.write(out);
  out.section(kTrigrams, trigrams.table());
  out.section(kTexts, trigrams.lists());
  return out.finish(static_cast<std::uint32_t>(records.size()), names.count());
}

}  // namespace ambit::indexer
