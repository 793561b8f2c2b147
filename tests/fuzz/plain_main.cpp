#include "tests/fuzz/plain_main.h"

#include <algorithm>
#include <cstdio>
#include <random>

namespace {

constexpr int kMutationsPerSeed = 3000;

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string mutated(std::string text, const std::string& other, std::mt19937& random) {
  const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
  const auto edits = 1 + below(4);
  for (std::size_t i = 0; i < edits; ++i) {
    const auto at = below(text.size() + 1);
    switch (below(5)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(random());
        break;
      case 1:
        text.insert(at, 1, "{}[]\",:\\0\r\n\x80\xff"[below(13)]);
        break;
      case 2:
        text.erase(at, below(8));
        break;
      case 3:
        text.insert(at, other.substr(below(other.size() + 1), below(32)));
        break;
      default:
        text.resize(at);
    }
  }
  return text;
}

}  // namespace

int main() {
  std::mt19937 random(20260604);  // mt19937 gives the same numbers everywhere
  const auto seeds = ambit::fuzz::seeds();
  std::size_t runs = 0;
  for (const auto& seed : seeds) {
    run(seed);
    for (int i = 0; i < kMutationsPerSeed; ++i) {
      run(mutated(seed, seeds[random() % seeds.size()], random));
    }
    runs += 1 + kMutationsPerSeed;
  }
  std::printf("%zu inputs\n", runs);
  return seeds.empty() ? 1 : 0;
}
