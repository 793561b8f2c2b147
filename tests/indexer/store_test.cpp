#include "indexer/store/catalog.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include <fstream>

#include "indexer/git/repository.h"
#include "indexer/store/facts_blocks.h"
#include "temp_repo.h"

namespace ambit::indexer {
namespace {

std::string segment_of(const std::vector<std::string>& texts) {
  SegmentBuilder b;
  Extractor e;
  for (const auto& t : texts) {
    auto facts = e.extract(Language::kCpp, t);
    SegmentBuilder::Input in;
    in.blob = hash_blob(t);
    in.language = Language::kCpp;
    in.text = t;
    in.facts = &*facts;
    b.add(in);
  }
  return b.finish();
}

const std::vector<std::string> kTexts{"#include <a.h>\nint alpha(int x) { return beta(x); }\n",
                                      "/// Doc.\nclass Beta { int gamma; };\nint beta(int);\n",
                                      "void empty() {}\n"};

TEST(Postings, SayWhatWentInWhateverTheDensity) {
  std::mt19937 random(5);
  TrigramWriter writer;
  std::map<std::uint32_t, std::vector<std::uint32_t>> expected;
  for (std::uint32_t t = 7; t < 4000; t += 1 + random() % 40) {
    const auto every = 1 + random() % (random() % 2 == 0 ? 3 : 700);
    std::vector<std::uint32_t> list;
    for (std::uint32_t r = random() % 50; r < 3000; r += 1 + random() % every) list.push_back(r);
    writer.add(t, list);
    if (!list.empty()) expected[t] = list;
  }
  const auto table = writer.table();
  TrigramReader reader(table, writer.lists());
  std::uint32_t trigram = 0;
  RecordList list;
  auto it = expected.begin();
  for (; reader.next(trigram, list); ++it) {
    ASSERT_NE(it, expected.end());
    EXPECT_EQ(trigram, it->first);
    std::vector<std::uint32_t> records;
    read_records(list, records);
    ASSERT_EQ(records, it->second);
    records.clear();
    read_records(reader.find(trigram), records);
    ASSERT_EQ(records, it->second);
  }
  EXPECT_EQ(it, expected.end());
  EXPECT_TRUE(reader.find(6).bytes.empty());
  EXPECT_TRUE(reader.find(5000).bytes.empty());
  // Damaged bytes give some numbers or none, and no more than that.
  for (int i = 0; i < 2000; ++i) {
    auto bad = table;
    auto lists = writer.lists();
    bad[random() % bad.size()] = static_cast<char>(random());
    lists[random() % lists.size()] = static_cast<char>(random());
    lists.resize(random() % lists.size());
    TrigramReader damaged(bad, lists);
    std::vector<std::uint32_t> records;
    for (int n = 0; n < 500 && damaged.next(trigram, list); ++n) read_records(list, records);
    read_records(damaged.find(random() % 4000), records);
  }
}

TEST(Segment, GivesBackWhatWentIn) {
  auto s = Segment::from_memory(segment_of(kTexts));
  ASSERT_TRUE(s) << s.error().message;
  EXPECT_EQ((*s)->record_count(), 3U);
  std::vector<std::uint32_t> records;
  (*s)->find(hash_blob(kTexts[1]), records);
  ASSERT_EQ(records.size(), 1U);
  const auto stored = (*s)->definitions(records[0]);
  Extractor e;
  const auto facts = e.extract(Language::kCpp, kTexts[1]);
  ASSERT_EQ(stored.size(), facts->definitions.size());
  for (std::size_t i = 0; i < stored.size(); ++i) EXPECT_EQ(stored[i].d, facts->definitions[i]);
  EXPECT_EQ((*s)->imports(0), std::vector<std::string>{"<a.h>"});
  const auto beta = (*s)->lookup("beta");
  ASSERT_TRUE(beta);
  std::vector<std::uint32_t> uses;
  Segment::decode_records(beta->references, uses);
  EXPECT_EQ(uses, std::vector<std::uint32_t>{0});
  EXPECT_FALSE((*s)->lookup("nothing"));
}

TEST(Segment, NoticesEveryDamagedByteAndEveryCut) {
  const auto good = segment_of(kTexts);
  for (std::size_t i = 0; i < good.size(); ++i) {
    auto bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_FALSE(Segment::from_memory(bad)) << i;
    EXPECT_FALSE(Segment::from_memory(good.substr(0, i))) << i;
  }
}

TEST(Segment, MergedHoldsTheSameAsBuiltAtOnce) {
  auto a = Segment::from_memory(segment_of({kTexts[0]}));
  auto b = Segment::from_memory(segment_of({kTexts[1], kTexts[2]}));
  const auto merged = merge_segments({*a, *b}, [](std::size_t, std::uint32_t) { return true; });
  EXPECT_EQ(merged, segment_of(kTexts));
  const auto dropped =
      merge_segments({*a, *b}, [](std::size_t s, std::uint32_t) { return s == 1; });
  auto one = Segment::from_memory(dropped);
  ASSERT_TRUE(one);
  EXPECT_EQ((*one)->record_count(), 2U);
}

// Stops working after a number of writes, in the middle of one.
class DyingFileSystem : public FileSystem {
 public:
  explicit DyingFileSystem(int writes) : left_(writes) {}
  Result<void> replace(const std::filesystem::path& path, std::string_view content,
                       unsigned mode) override {
    if (left_-- > 0) return FileSystem::replace(path, content, mode);
    std::ofstream(path.string() + ".tmp", std::ios::binary)
        << content.substr(0, content.size() / 2);
    return make_error(Code::kIo, "power is gone");
  }
  Result<void> remove(const std::filesystem::path& path) override {
    if (left_-- > 0) return FileSystem::remove(path);
    return make_error(Code::kIo, "power is gone");
  }

 private:
  int left_;
};

TEST(Catalog, HoldsAFullSetWhereverWritingStops) {
  for (int writes = 0; writes < 8; ++writes) {
    TempRepo dir(false);
    {
      DyingFileSystem files(writes);
      Catalog c(dir.path() / "store", files);
      (void)c.load();
      for (const auto& t : kTexts) (void)c.add(segment_of({t}));
      (void)c.collect([](const BlobId&) { return true; });
      (void)c.add_volatile(segment_of({"int late;\n"}));
      (void)c.keep([](const BlobId&) { return true; });
    }
    Catalog again(dir.path() / "store");
    ASSERT_TRUE(again.load());
    int found = 0;
    for (const auto& t : kTexts) {
      found += again.find(hash_blob(t), [](const RecordEntry&) { return true; }) ? 1 : 0;
    }
    EXPECT_EQ(found, std::min(writes, 3)) << writes;
  }
}

TEST(Catalog, KeepsWhatIsInMemoryOnceAndOnlyWhatLives) {
  TempRepo dir(false);
  const auto all = [](const RecordEntry&) { return true; };
  {
    Catalog c(dir.path() / "store");
    ASSERT_TRUE(c.load());
    for (const auto& t : kTexts) ASSERT_TRUE(c.add_volatile(segment_of({t})));
    EXPECT_TRUE(c.find(hash_blob(kTexts[0]), all));
    EXPECT_TRUE(std::filesystem::is_empty(dir.path() / "store"));
    EXPECT_TRUE(c.keep([](const BlobId& b) { return b != hash_blob(kTexts[0]); }));
    EXPECT_EQ(c.segments().size(), 1U);
    EXPECT_FALSE(c.keep([](const BlobId&) { return true; }));
  }
  Catalog again(dir.path() / "store");
  ASSERT_TRUE(again.load());
  EXPECT_FALSE(again.find(hash_blob(kTexts[0]), all));
  EXPECT_TRUE(again.find(hash_blob(kTexts[1]), all));
}

TEST(Catalog, MergingWritesInProportionToWhatIsNew) {
  TempRepo dir(false);
  Catalog c(dir.path() / "store");
  ASSERT_TRUE(c.load());
  std::map<std::string, std::uintmax_t> seen;
  const auto written = [&] {  // since the last call
    std::uintmax_t bytes = 0;
    for (const auto& f : std::filesystem::directory_iterator(dir.path() / "store")) {
      if (seen.try_emplace(f.path().filename().string(), f.file_size()).second)
        bytes += f.file_size();
    }
    return bytes;
  };
  int n = 0;
  const auto some = [&](int texts) {
    std::vector<std::string> out;
    for (; texts > 0; --texts) {
      const auto name = "name_" + std::to_string(++n * 7919);
      out.push_back("int " + name + "(int a) { return other_" + name + " + a; }\n");
    }
    return segment_of(out);
  };
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(c.add(some(400)));
  (void)written();
  std::uintmax_t fresh = 0, all = 0;
  for (int i = 0; i < 60; ++i) {
    auto bytes = some(4);
    fresh += bytes.size();
    ASSERT_TRUE(c.add(std::move(bytes)));
    c.compact_if_worth([](const BlobId&) { return true; });
    EXPECT_LE(c.segments().size(), 13U);
    all += written();
    EXPECT_LT(all, 5 * fresh) << i;
  }
}

TEST(Catalog, ForgetsDamagedFilesAndThoseOfAnotherVersion) {
  TempRepo dir(false);
  for (const std::streamoff at : {300, 8}) {  // in the body; in the version
    Catalog c(dir.path() / "store");
    ASSERT_TRUE(c.load());
    ASSERT_TRUE(c.add(segment_of(kTexts)));
    const auto file = c.segments()[0]->file();
    {
      std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
      f.seekp(at);
      f.put('!');
    }
    const auto segment = Segment::open(file);
    ASSERT_FALSE(segment);
    EXPECT_EQ(segment.error().code, at == 8 ? Code::kUnsupported : Code::kCorrupt);
    Catalog again(dir.path() / "store");
    ASSERT_TRUE(again.load());
    EXPECT_TRUE(again.segments().empty());
    EXPECT_FALSE(std::filesystem::exists(file));
  }
}

// A segment that is gone leaves its address to the next: what was read there must not come again.
TEST(FactsBlocks, AreKnownByWhatTheyHold) {
  std::string memory;
  for (const std::string text :
       {"one of these, and the same end", "two of these, and the same end"}) {
    FactsWriter writer;
    writer.out().string(text);
    const auto section = writer.finish();
    memory.resize(section.size());
    std::copy(section.begin(), section.end(), memory.begin());  // the same place
    std::shared_ptr<const std::string> holder;
    ByteReader in(facts_at(memory, 0, holder));
    EXPECT_EQ(in.string(), text);
  }
}

}  // namespace
}  // namespace ambit::indexer
