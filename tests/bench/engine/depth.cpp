// Decode rates at depths, in turns so that the machine's moods meet all alike:
//   engine_depth MODEL [--gen N] [--rounds N] [--threads N] DEPTH…
// The state before each depth is random bytes in the pages' own format: a rate depends on how much
// is read, not on what it says, and a million tokens need no hours of prefill.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "inference/model/model.h"
#include "inference/ops/packed_rows.h"

namespace {

using namespace ambit;
using namespace ambit::inference;

// Rows of one page with values of ordinary size, which tell no page from another.
void fill_rows(const StateShape& s, std::mt19937& random, std::uint8_t* rows) {
  std::normal_distribution<float> normal;
  std::vector<float> x(std::max(s.head_dim, s.index_dim));
  const auto draw = [&](std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) x[i] = normal(random);
  };
  for (const LayerShape& l : s.layers) {
    if (l.ratio == 0) continue;
    const auto n = static_cast<std::size_t>(kPageTokens / l.ratio);
    for (std::size_t r = 0; r < n; ++r) {
      draw(s.head_dim);
      ops::pack_kv_row(x.data(), s.head_dim, s.rope, rows + l.rows_at + r * s.row_bytes);
    }
    if (l.index_width == 0) continue;
    for (std::size_t c = 0; c < ops::kKeyBlock; ++c) {
      draw(s.index_dim);
      ops::pack_key(x.data(), s.index_dim, c, rows + l.index_at);
    }
  }
}

// A sequence of `tokens` tokens, a whole number of pages.
KvCache deep(const Model& model, std::int64_t tokens, std::mt19937& random) {
  const PageMaker& maker = model.pages();
  const StateShape& s = maker.shape();
  constexpr std::size_t kDifferent = 64;  // pages drawn; the others are copies elsewhere in memory
  std::vector<PagePtr> drawn;
  KvCache cache(maker);
  const auto pages = static_cast<std::size_t>(tokens / kPageTokens);
  for (std::size_t i = 0; i < pages; ++i) {
    auto page = std::make_shared<Page>();
    page->filled = static_cast<std::int32_t>(kPageTokens);
    page->rows = ByteBuffer(s.rows_bytes);
    if (i < kDifferent) {
      fill_rows(s, random, page->rows.data());
      drawn.push_back(page);
    } else {
      std::memcpy(page->rows.data(), drawn[random() % kDifferent]->rows.data(), s.rows_bytes);
    }
    if (i + s.window_pages() + 1 >= pages) {
      std::normal_distribution<float> normal;
      page->window = FloatBuffer(s.window_floats);
      page->edge = FloatBuffer(s.edge_floats);
      std::generate_n(page->window.data(), s.window_floats, [&] { return normal(random); });
      std::generate_n(page->edge.data(), s.edge_floats, [&] { return normal(random); });
    }
    cache.adopt(std::move(page), static_cast<std::int32_t>(kPageTokens));
  }
  return cache;
}

double rate(Model& model, const KvCache& from, std::size_t tokens) {
  KvCache cache = from;
  std::vector<double> times;
  const std::size_t vocab = model.config().vocab_size;
  TokenId id = 1;
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < tokens; ++i) {
    const StepInput in{.cache = &cache, .ids = {&id, 1}, .logits_from = 0};
    (void)model.forward({&in, 1});
    id = static_cast<TokenId>((static_cast<std::size_t>(id) * 31 + 7) % vocab);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return static_cast<double>(tokens) / took.count();
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::int64_t> depths;
  std::string path;
  std::size_t tokens = 64;
  int rounds = 5;
  ModelOptions options{.mtp = false};
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    const long value = i + 1 < argc ? std::atol(argv[i + 1]) : 0;
    if (a == "--gen") {
      tokens = static_cast<std::size_t>(value), ++i;
    } else if (a == "--rounds") {
      rounds = static_cast<int>(value), ++i;
    } else if (a == "--threads") {
      options.threads = static_cast<unsigned>(value), ++i;
    } else if (path.empty()) {
      path = a;
    } else {
      depths.push_back(std::atol(argv[i]) / kPageTokens * kPageTokens);
    }
  }
  if (path.empty() || depths.empty() || tokens == 0 || rounds < 1) {
    std::fprintf(stderr, "engine_depth MODEL [--gen N] [--rounds N] [--threads N] DEPTH…\n");
    return 2;
  }
  auto model = Model::open(path, options);
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message.c_str());
    return 1;
  }
  std::mt19937 random(1);
  std::vector<KvCache> caches;
  caches.reserve(depths.size());
  for (const std::int64_t depth : depths) caches.push_back(deep(**model, depth, random));
  std::vector<std::vector<double>> rates(depths.size());
  for (int r = 0; r <= rounds; ++r) {
    for (std::size_t i = 0; i < depths.size(); ++i) {
      const double one = rate(**model, caches[i], tokens);
      if (r > 0) rates[i].push_back(one);  // the first round warms up
    }
  }
  for (auto& r : rates) std::sort(r.begin(), r.end());
  const auto median = [&](std::size_t i) { return rates[i][rates[i].size() / 2]; };
  for (std::size_t i = 0; i < depths.size(); ++i) {
    std::printf("depth %8lld  %10.1f tokens/s  %5.1f %% less than at %lld\n",
                static_cast<long long>(depths[i]), median(i), 100 * (1 - median(i) / median(0)),
                static_cast<long long>(depths[0]));
  }
  return 0;
}
