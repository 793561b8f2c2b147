// Any bytes may lie where segments of stored state are expected: what comes back from the store is
// what was put there for these tokens, or nothing.
#include <cstring>
#include <fstream>
#include <iterator>
#include <numeric>

#include "daemon/support/file.h"
#include "daemon/support/trace.h"
#include "inference/kv/disk_store.h"
#include "tests/fuzz/plain_main.h"
#include "tests/fuzz/readers.h"

namespace {

using namespace ambit;
using namespace ambit::inference;

const PageMaker& maker() {
  static const PageMaker one(StateShape::make(
      {{0, false}, {4, true}},
      {.head_dim = 16, .rope = 4, .index_dim = 8, .rounded = true, .packed = true}, 128, 0));
  return one;
}

PagePtr page() {
  PagePtr p = maker().make();
  std::iota(p->ids.begin(), p->ids.end(), 0);
  p->filled = static_cast<std::int32_t>(kPageTokens);
  std::memset(p->rows.data(), 7, p->rows.size());
  std::fill_n(p->window.data(), p->window.size(), 1.0F);
  std::fill_n(p->raw.data(), p->raw.size(), 2.0F);
  maker().save_edge(*p);
  return p;
}

std::string segment() {
  const auto path = fuzz::file_with(nullptr, 0, "seed").parent_path() / "seed-store";
  std::filesystem::remove_all(path);
  auto store = DiskStore::open(path, 5, 1U << 24U, file_system());
  fuzz::require(static_cast<bool>(store), "a store opens");
  const PagePtr p = page();
  const PageKey key = DiskStore::key_of(store->root(), p->ids);
  fuzz::require(static_cast<bool>(store->put(maker(), key, store->root(), *p, true)),
                "it takes a page");
  std::ifstream in(path / "kv-00000001.seg", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  set_log_level(LogLevel::kError);  // a damaged page is a line
  static const PagePtr good = page();
  const auto folder = fuzz::file_with(nullptr, 0, "empty").parent_path() / "store";
  std::filesystem::create_directories(folder);
  {
    std::ofstream out(folder / "kv-00000001.seg", std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  }
  auto store = DiskStore::open(folder, 5, 1U << 24U, file_system());
  if (!store) {
    fuzz::require_clear(store.error());
    return 0;
  }
  const PageKey key = DiskStore::key_of(store->root(), good->ids);
  const auto back = store->get(maker(), key, good->ids);
  if (!back) {
    fuzz::require_clear(back.error());
    return 0;
  }
  fuzz::require((*back)->rows.size() == good->rows.size() &&
                    std::memcmp((*back)->rows.data(), good->rows.data(), good->rows.size()) == 0,
                "rows are those that were put");
  if ((*back)->checkpoint) {
    maker().thaw(**back);
    fuzz::require(
        std::memcmp((*back)->window.data(), good->window.data(), good->window.bytes()) == 0,
        "windows are those that were put");
  }
  return 0;
}

std::vector<std::string> ambit::fuzz::seeds() {
  return {segment(), segment() + segment(), std::string(64, '\0')};
}
