// A segment: what was learnt from a set of blobs, immutable, in one file or one block of memory.
//
// Layout, little-endian, sections in this order, each 8-byte aligned (kSegmentVersion 4):
//   header       magic, versions, offset and size of every section, XXH3-64 of header and of body
//   records      one RecordEntry per blob, in the order of the build
//   by_blob      u32 record numbers sorted by blob id, then language
//   facts        per record: definitions and imports as varints (segment_builder.cpp), compressed
//                in blocks (facts_blocks.h)
//   names        all names, sorted, in blocks of 32, front-coded: varint shared, varint length,
//                bytes, one byte with the bytes of its definitions (low half) and of its
//                references; a half of 15 means that a varint follows
//   blocks       per block of names: u64 offset in names, in definitions, in references
//   definitions  per name: varint record delta, varint index of the definition, …
//   references   per name: varint record delta, …
//   trigrams     sorted, with the sizes of their lists (postings.h)
//   texts        per trigram: the records whose text has it (postings.h)
// Version 2: blocks of facts and the lists are compressed. Version 3: a definition's name is a
// distance to the name before. Version 4: short sizes of postings share a byte.
// A reader checks versions, sizes and the checksum; whatever does not fit is kCorrupt, a segment of
// another version kUnsupported, and the caller forgets the segment and learns its blobs again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/support/bytes.h"
#include "daemon/support/file.h"
#include "daemon/support/result.h"
#include "indexer/filter.h"
#include "indexer/store/facts_blocks.h"
#include "indexer/store/postings.h"
#include "indexer/syntax/extract.h"
#include "indexer/types.h"

namespace ambit::indexer {

inline constexpr std::uint32_t kSegmentVersion = 4;
inline constexpr std::size_t kNamesPerBlock = 32;
inline constexpr std::size_t kSectionCount = 9;
inline constexpr std::size_t kLongPostings = 15;

struct SegmentHeader {
  char magic[8];  // "AMBITSEG"
  std::uint32_t version;
  std::uint32_t extractor;
  std::uint32_t records;
  std::uint32_t names;
  std::uint64_t size;
  struct {
    std::uint64_t offset, size;
  } sections[kSectionCount];
  std::uint64_t body_hash;
  std::uint64_t header_hash;  // of all before it
};

enum Section : std::size_t {
  kRecords,
  kByBlob,
  kFacts,
  kNames,
  kBlocks,
  kDefinitions,
  kReferences,
  kTrigrams,
  kTexts
};

struct RecordEntry {
  std::uint8_t blob[32];
  std::uint64_t facts;  // the place of its definitions (facts_blocks.h)
  std::uint32_t bytes;
  std::uint32_t definitions;
  std::uint32_t mentions;
  Language language;
  FileClass file_class;
  std::uint8_t errors;  // ranges not understood, at most 255
  std::uint8_t flags;   // 1: parsing gave up (time or size)
  std::uint32_t imports;
  std::uint32_t import_bytes;  // they stand right before facts
};
static_assert(sizeof(RecordEntry) == 64);

struct StoredDefinition {
  Definition d;
  std::string name;
};

struct NamePostings {
  std::string_view definitions, references;  // encoded
};

class Segment {
 public:
  // Checks everything, by reading the file once; maps it afterwards.
  [[nodiscard]] static Result<std::shared_ptr<const Segment>> open(
      const std::filesystem::path& file);
  // The same over bytes in memory.
  [[nodiscard]] static Result<std::shared_ptr<const Segment>> from_memory(std::string bytes);

  [[nodiscard]] std::uint32_t record_count() const { return header_.records; }
  [[nodiscard]] std::uint32_t name_count() const { return header_.names; }
  [[nodiscard]] std::uint64_t size() const { return header_.size; }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  [[nodiscard]] const RecordEntry& record(std::uint32_t i) const;
  [[nodiscard]] BlobId blob(std::uint32_t i) const;
  // Record numbers of this blob (one per language that it was read as).
  void find(const BlobId& blob, std::vector<std::uint32_t>& out) const;

  [[nodiscard]] std::vector<StoredDefinition> definitions(std::uint32_t record) const;
  // The same up to the last of `wanted` (indexes); only these and what encloses them have names.
  [[nodiscard]] std::vector<StoredDefinition> definitions(
      std::uint32_t record, const std::vector<std::uint32_t>& wanted) const;
  [[nodiscard]] std::vector<std::string> imports(std::uint32_t record) const;

  [[nodiscard]] std::optional<NamePostings> lookup(std::string_view name) const;
  [[nodiscard]] std::string name(std::uint32_t id) const;
  // The names of definitions that have all of these letters somewhere, in order. The letters of all
  // names are gathered by the first call (4 bytes a name, 20 ms a million) and then looked at
  // first.
  void for_each_defined(std::uint32_t letters,
                        const std::function<void(std::string_view)>& f) const;
  // One bit for each letter, whatever its case, and some for digits.
  [[nodiscard]] static std::uint32_t letters_of(std::string_view name);
  // For merging: the names of one block with their postings; the facts of a record with name ids
  // translated (entry's offset and import length are set).
  void block(std::size_t index, std::vector<std::string>& names,
             std::vector<NamePostings>& postings) const;
  void copy_facts(std::uint32_t record, const std::vector<std::uint32_t>& name_ids,
                  FactsWriter& out, RecordEntry& entry) const;
  // The records whose text has a trigram.
  [[nodiscard]] RecordList texts_with(std::uint32_t trigram) const;

  [[nodiscard]] std::string_view section(Section s) const;

  // Decodes "record delta" lists. Damaged bytes end the list.
  static void decode_records(std::string_view postings, std::vector<std::uint32_t>& out);
  // Decodes (record, definition index) pairs.
  static void decode_definitions(std::string_view postings,
                                 std::vector<std::pair<std::uint32_t, std::uint32_t>>& out);

 private:
  [[nodiscard]] static Result<std::shared_ptr<const Segment>> adopt(std::shared_ptr<Segment> s,
                                                                    bool verify_body);
  [[nodiscard]] std::vector<StoredDefinition> decode(std::uint32_t record, std::size_t limit,
                                                     std::vector<std::uint32_t>& name_ids) const;
  SegmentHeader header_{};
  std::string_view bytes_;
  std::string memory_;
  MappedFile mapped_;
  std::filesystem::path file_;
  mutable std::once_flag letters_once_;
  mutable std::vector<std::uint32_t> letters_;  // by name
};

// Collects facts and writes a segment. Not thread-safe: one per thread.
class SegmentBuilder {
 public:
  SegmentBuilder();
  SegmentBuilder(SegmentBuilder&&) noexcept;
  ~SegmentBuilder();

  struct Input {
    BlobId blob;
    Language language = Language::kNone;
    FileClass file_class = FileClass::kSource;
    std::string_view text;
    const Facts* facts = nullptr;  // null: no symbols
    bool gave_up = false;
    bool index_text = true;  // trigrams
  };
  void add(const Input& input);
  [[nodiscard]] std::size_t records() const;
  [[nodiscard]] std::size_t memory_bytes() const;  // about
  [[nodiscard]] bool empty() const { return records() == 0; }
  // The bytes of the segment; the builder is empty afterwards.
  [[nodiscard]] std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// One segment out of several: records that `keep` refuses are left out. The inputs are read in
// place; the result is in memory.
[[nodiscard]] std::string merge_segments(
    const std::vector<std::shared_ptr<const Segment>>& segments,
    const std::function<bool(std::size_t segment, std::uint32_t record)>& keep);

}  // namespace ambit::indexer
