// State on disk: what is written comes back bit for bit, and whatever a crash or a bad disk leaves
// behind, nothing wrong is ever read.
#include "inference/kv/disk_store.h"

#include <unistd.h>

#include <cstring>
#include <fstream>
#include <random>

#include "daemon/support/trace.h"
#include "gtest/gtest.h"
#include "inference/kv/page_codec.h"
#include "inference/ops/quantize.h"

namespace ambit::inference {
namespace {

StateShape shape(bool rounded, bool packed) {
  return StateShape::make(
      {{0, false}, {4, true}, {128, false}},
      {.head_dim = 96, .rope = 32, .index_dim = 64, .rounded = rounded, .packed = packed}, 128, 10);
}

StateShape shape(bool rounded) {
  return shape(rounded, rounded);
}

PagePtr full_page(const PageMaker& maker, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  PagePtr page = maker.make();
  const StateShape& s = maker.shape();
  const auto fill = [&](const FloatBuffer& b) {
    for (std::size_t i = 0; i < b.size(); ++i) b.data()[i] = normal(random);
  };
  for (std::size_t i = 0; i < s.rows_bytes; ++i)
    page->rows.data()[i] = static_cast<std::uint8_t>(random());
  for (std::size_t i = 0; !s.packed && i < s.rows_bytes; i += 4) {
    const float value = normal(random);
    std::memcpy(page->rows.data() + i, &value, 4);
  }
  fill(page->window);
  fill(page->raw);
  for (TokenId& id : page->ids) id = static_cast<TokenId>(random() % 1000);
  page->filled = static_cast<std::int32_t>(kPageTokens);
  if (s.rounded) {
    for (std::size_t r = 0; r < 3 * 128; ++r)
      ops::round_kv_row(page->window.data() + r * 96, 96, 32);
  }
  maker.save_edge(*page);
  return page;
}

template <class Buffer>
bool same(const Buffer& a, const Buffer& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.bytes()) == 0;
}

// Dies at the n-th write: that one is cut short, and nothing later happens.
class CrashingFiles : public FileSystem {
 public:
  explicit CrashingFiles(int writes) : left_(writes) {}
  Result<void> append(const std::filesystem::path& path, std::string_view content) override {
    if (left_ < 0) return make_error(Code::kIo, "the process is dead");
    if (left_-- > 0) return file_system().append(path, content);
    AMBIT_CHECK_OK(file_system().append(path, content.substr(0, content.size() * 2 / 3)));
    return make_error(Code::kIo, "cut short");
  }
  Result<void> sync(const std::filesystem::path& path) override {
    return left_ < 0 ? make_error(Code::kIo, "the process is dead") : file_system().sync(path);
  }

 private:
  int left_;
};

class DiskStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() /
           ("ambit-kv-" + std::to_string(::getpid()) + "-" +
            testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(dir_);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  DiskStore open(FileSystem& files = file_system(), std::uint64_t bytes = 1U << 30U,
                 std::uint64_t fingerprint = 7) {
    return DiskStore::open(dir_, fingerprint, bytes, files).value();
  }
  std::filesystem::path dir_;
};

TEST_F(DiskStoreTest, WhatIsWrittenComesBackBitForBit) {
  for (const bool rounded : {false, true}) {
    std::filesystem::remove_all(dir_);
    const PageMaker maker(shape(rounded));
    const PagePtr page = full_page(maker, 1);
    PageKey key;
    {
      DiskStore store = open();
      key = DiskStore::key_of(store.root(), page->ids);
      ASSERT_TRUE(store.put(maker, key, store.root(), *page, true));
      ASSERT_TRUE(store.sync());
      const std::uint64_t once = store.bytes();
      ASSERT_TRUE(store.put(maker, key, store.root(), *page, true));
      EXPECT_EQ(store.bytes(), once) << "written twice";
    }
    DiskStore store = open();
    const auto back = store.get(maker, key, page->ids);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_TRUE(same((*back)->rows, page->rows)) << rounded;
    EXPECT_TRUE((*back)->checkpoint);
    maker.thaw(**back);
    EXPECT_TRUE(same((*back)->window, page->window)) << rounded;
    EXPECT_TRUE(same((*back)->edge, page->edge)) << rounded;
    EXPECT_FALSE((*back)->raw);
    // Not for other tokens, nor for another model.
    auto other = page->ids;
    ++other[5];
    EXPECT_FALSE(store.get(maker, key, other));
    EXPECT_FALSE(
        open(file_system(), 1U << 30U, 8)
            .has_rows(DiskStore::key_of(open(file_system(), 1U << 30U, 8).root(), page->ids)));
  }
}

// Stands in for a device: memory of its own that the host does not read, rows as floats.
class ForeignMemory final : public StateMemory {
 public:
  void* allocate(std::size_t bytes, StatePart part) override {
    return host_memory().allocate(bytes, part);
  }
  void release(void* p, std::size_t bytes) override { host_memory().release(p, bytes); }
  void copy(void* to, std::size_t to_at, const void* from, std::size_t from_at,
            std::size_t n) override {
    host_memory().copy(to, to_at, from, from_at, n);
  }
  void read(void* host, const void* from, std::size_t n) override { std::memcpy(host, from, n); }
  void write(void* to, const void* host, std::size_t n) override { std::memcpy(to, host, n); }
  [[nodiscard]] bool is_host() const override { return false; }
};

TEST_F(DiskStoreTest, RowsThatADeviceKeepsAsFloatsArePackedOnDisk) {
  ForeignMemory memory;
  const PageMaker maker(shape(true, /*packed=*/false), memory);
  const PageMaker host(shape(true));
  ASSERT_EQ(maker.host_shape().rows_bytes, host.shape().rows_bytes);
  ASSERT_GT(maker.shape().rows_bytes, 3 * host.shape().rows_bytes);
  PagePtr page = full_page(maker, 3);
  // Rows as a model would leave them: packing any bytes is no round trip.
  page = maker.from_host(*maker.to_host(*page));
  DiskStore store = open();
  const PageKey key = DiskStore::key_of(store.root(), page->ids);
  ASSERT_TRUE(store.put(maker, key, store.root(), *page, true));
  EXPECT_LT(store.bytes(), host.shape().rows_bytes + checkpoint_bytes(host.shape()) + 1024);
  const auto back = store.get(maker, key, page->ids);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(same((*back)->rows, page->rows));
  EXPECT_TRUE(same((*back)->window, page->window));
  EXPECT_TRUE(same((*back)->edge, page->edge));
}

TEST_F(DiskStoreTest, ACrashAtAnyWriteLosesAtMostWhatWasNotWritten) {
  const PageMaker maker(shape(true));
  std::vector<PagePtr> pages;
  for (unsigned i = 0; i < 5; ++i) pages.push_back(full_page(maker, i));
  for (int crash = 0; crash <= 10; ++crash) {
    SCOPED_TRACE(crash);
    std::filesystem::remove_all(dir_);
    CrashingFiles files(crash);
    std::vector<PageKey> keys;
    {
      DiskStore store = open(files);
      PageKey key = store.root();
      for (const PagePtr& page : pages) {
        const PageKey parent = key;
        key = DiskStore::key_of(parent, page->ids);
        keys.push_back(key);
        (void)store.put(maker, key, parent, *page, true);
      }
    }
    // The next start: two records a page, so crash / 2 pages are whole.
    DiskStore store = open();
    for (std::size_t i = 0; i < pages.size(); ++i) {
      EXPECT_EQ(store.has_rows(keys[i]), 2 * static_cast<int>(i) < crash);
      EXPECT_EQ(store.has_checkpoint(keys[i]), 2 * static_cast<int>(i) + 1 < crash);
      const auto back = store.get(maker, keys[i], pages[i]->ids);
      if (!back) continue;
      EXPECT_TRUE(same((*back)->rows, pages[i]->rows));
    }
    // And it goes on from there.
    PageKey key = store.root();
    for (const PagePtr& page : pages) {
      const PageKey parent = key;
      key = DiskStore::key_of(parent, page->ids);
      ASSERT_TRUE(store.put(maker, key, parent, *page, true));
    }
    DiskStore again = open();
    for (std::size_t i = 0; i < pages.size(); ++i) {
      EXPECT_TRUE(again.get(maker, keys[i], pages[i]->ids));
    }
  }
}

TEST_F(DiskStoreTest, AFlippedBitAnywhereIsNoticed) {
  const PageMaker maker(shape(true));
  const PagePtr page = full_page(maker, 1);
  PageKey key;
  {
    DiskStore store = open();
    key = DiskStore::key_of(store.root(), page->ids);
    ASSERT_TRUE(store.put(maker, key, store.root(), *page, false));
  }
  const auto path = std::filesystem::directory_iterator(dir_)->path();
  const std::string good = read_file(path).value();
  std::mt19937 random(1);
  set_log_level(LogLevel::kError);  // each one would be a line
  for (int i = 0; i < 200; ++i) {
    std::string bad = good;
    const std::size_t at = i < 64 ? static_cast<std::size_t>(i) : random() % bad.size();
    bad[at] = static_cast<char>(bad[at] ^ (1 << (random() % 8)));
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bad;
    DiskStore store = open();
    const auto back = store.get(maker, key, page->ids);
    // The parent key is for tools alone; its byte is covered by the header's checksum all the same.
    EXPECT_FALSE(back) << at;
  }
  set_log_level(LogLevel::kWarning);
}

TEST_F(DiskStoreTest, TheOldestGoWhenTheDirectoryIsFull) {
  const PageMaker maker(shape(false));
  const PagePtr first = full_page(maker, 0);
  DiskStore probe = open();
  ASSERT_TRUE(
      probe.put(maker, DiskStore::key_of(probe.root(), first->ids), probe.root(), *first, true));
  const std::uint64_t one = probe.bytes();
  std::filesystem::remove_all(dir_);
  const std::uint64_t cap = 6 * one;
  DiskStore store = open(file_system(), cap);
  for (unsigned i = 0; i < 30; ++i) {
    const PagePtr page = full_page(maker, i);
    ASSERT_TRUE(
        store.put(maker, DiskStore::key_of(store.root(), page->ids), store.root(), *page, true));
    EXPECT_LE(store.bytes(), cap);
  }
  EXPECT_FALSE(store.has_rows(DiskStore::key_of(store.root(), first->ids)));
  EXPECT_TRUE(store.has_rows(DiskStore::key_of(store.root(), full_page(maker, 29)->ids)));
}

TEST(StateSize, FlashTakes3514BytesATokenInMemoryAndAtMost3900OnDisk) {
  std::vector<LayerKind> layers = {{0, false}, {0, false}};
  for (int i = 0; i < 20; ++i) {
    layers.push_back({4, true});
    layers.push_back({128, false});
  }
  layers.push_back({4, true});
  const StateShape s = StateShape::make(
      layers, {.head_dim = 512, .rope = 64, .index_dim = 128, .rounded = true, .packed = true}, 128,
      0);
  const std::size_t kv_row = 448 + 7 + 128;
  const std::size_t index_key = 64 + 4;
  EXPECT_EQ(s.rows_bytes, 21 * 32 * (kv_row + index_key) + 20 * kv_row);
  // In memory, where a page's bookkeeping is all that is added.
  EXPECT_LE((sizeof(Page) + s.rows_bytes) / 128, 3514U);
  // On disk, ids and headers included; a checkpoint every 128 pages.
  const double per_page = static_cast<double>(s.rows_bytes) + 4 * 128 + 64 +
                          static_cast<double>(checkpoint_bytes(s) + 64) / 128;
  EXPECT_LT(per_page / 128, 3900);
}

}  // namespace
}  // namespace ambit::inference
