// How fast text becomes token ids and back, on one thread.
//
//   cmake … -DAMBIT_BENCH=ON && tokenizer_bench TOKENIZER_JSON FILE…
//
// Each file is a sample of text; every measure is the median of kRounds passes over all of them,
// after one that is not counted. MB are 10^6 bytes of text.
#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>

#include "daemon/support/clock.h"
#include "daemon/support/file.h"
#include "inference/tokenizer/tokenizer.h"

namespace ambit::inference {
namespace {

constexpr std::size_t kRounds = 7;

double median_ms(const std::function<void()>& pass) {
  pass();
  std::array<double, kRounds> times{};
  for (double& ms : times) {
    const auto start = std::chrono::steady_clock::now();
    pass();
    ms = elapsed_ms(start, std::chrono::steady_clock::now());
  }
  std::ranges::sort(times);
  return times[kRounds / 2];
}

int run(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: tokenizer_bench TOKENIZER_JSON FILE...\n", stderr);
    return 2;
  }
  const auto load_start = std::chrono::steady_clock::now();
  const auto tokenizer = Tokenizer::load(argv[1]);
  if (!tokenizer) {
    std::fprintf(stderr, "tokenizer_bench: %s\n", tokenizer.error().message.c_str());
    return 1;
  }
  const double load_ms = elapsed_ms(load_start, std::chrono::steady_clock::now());
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  for (int i = 2; i < argc; ++i) {
    auto text = read_file(argv[i]);
    if (!text) {
      std::fprintf(stderr, "tokenizer_bench: %s\n", text.error().message.c_str());
      return 1;
    }
    bytes += text->size();
    texts.push_back(std::move(*text));
  }
  std::vector<std::vector<TokenId>> ids(texts.size());
  const double encode = median_ms([&] {
    for (std::size_t i = 0; i < texts.size(); ++i) ids[i] = (*tokenizer)->encode(texts[i]);
  });
  std::size_t counted = 0;
  const double count = median_ms([&] {
    counted = 0;
    for (const auto& text : texts) counted += (*tokenizer)->count(text);
  });
  bool same = true;
  const double decode = median_ms([&] {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      same = (*tokenizer)->decode(ids[i]) == texts[i] && same;
    }
  });
  std::size_t tokens = 0;
  for (const auto& sequence : ids) tokens += sequence.size();
  if (!same || counted != tokens) {
    std::fputs("tokenizer_bench: the text does not survive the round trip\n", stderr);
    return 1;
  }
  const double mb = static_cast<double>(bytes) / 1e6;
  const auto rate = [&](double ms) { return mb / (ms / 1e3); };
  std::printf("load    %8.1f ms\n", load_ms);
  std::printf("text    %8.2f MB in %zu files, %zu tokens, %.2f bytes a token\n", mb, texts.size(),
              tokens, static_cast<double>(bytes) / static_cast<double>(tokens));
  std::printf("encode  %8.1f MB/s, %.2f million tokens/s\n", rate(encode),
              static_cast<double>(tokens) / encode / 1e3);
  std::printf("count   %8.1f MB/s\n", rate(count));
  std::printf("decode  %8.1f MB/s\n", rate(decode));
  return 0;
}

}  // namespace
}  // namespace ambit::inference

int main(int argc, char** argv) {
  return ambit::inference::run(argc, argv);
}
