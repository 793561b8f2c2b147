#include "tests/gpu/model_bench.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "inference/device/device_model.h"

using namespace ambit::inference;

namespace {

struct Settings {
  std::size_t prompt = 512, generate = 64, depth = 0, distinct = 0, chunk = 2048;
  DeviceOptions device;
};

bool parse(int argc, char** argv, Settings& s) {
  std::size_t* plain[] = {&s.prompt, &s.generate, &s.depth};
  std::size_t card_mb = 0;
  int at = 0;
  for (int i = 0; i < argc; ++i) {
    const char* value = std::strchr(argv[i], '=');
    const auto number =
        static_cast<std::size_t>(std::atoll(value == nullptr ? argv[i] : value + 1));
    const auto is = [&](const char* name) {
      return std::strncmp(argv[i], name, std::strlen(name)) == 0;
    };
    if (value == nullptr && at < 3) {
      *plain[at++] = number;
    } else if (is("card_mb=")) {
      card_mb = number;
    } else if (is("cards=")) {
      for (std::size_t c = 0; c < number; ++c) s.device.cards.push_back(static_cast<int>(c));
    } else if (is("distinct=")) {
      s.distinct = number;
    } else if (is("chunk=") && number != 0) {
      s.chunk = number;
    } else {
      std::fprintf(stderr, "cuda_bench model does not know '%s'\n", argv[i]);
      return false;
    }
  }
  s.device.weights_bytes = static_cast<std::uint64_t>(card_mb) << 20U;
  s.device.state_bytes = std::uint64_t{4} << 30U;
  s.device.mtp = false;
  return true;
}

class ModelBench {
 public:
  ModelBench(StepModel& model, const Settings& settings) : model_(model), s_(settings) {}

  bool run() {
    {
      KvCache warm_up(model_.pages());
      if (!feed(warm_up, 64, s_.chunk)) return false;
    }
    KvCache cache(model_.pages());
    if (!feed(cache, s_.depth, s_.chunk)) return false;
    const double read = timed([&] { return feed(cache, s_.prompt, s_.chunk); });
    const double decoded = timed([&] { return feed(cache, s_.generate, 1); });
    if (read == 0 || decoded == 0) return false;
    std::printf("prefill %10.1f tokens/s, %zu tokens behind %zu, %zu at once\n",
                static_cast<double>(s_.prompt) / read, s_.prompt, s_.depth, s_.chunk);
    std::printf("decode  %10.1f tokens/s\n%s\n", static_cast<double>(s_.generate) / decoded,
                model_.device().c_str());
    return true;
  }

 private:
  template <class F>
  static double timed(const F& work) {
    const auto start = std::chrono::steady_clock::now();
    const bool done = work();
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    return done ? spent.count() : 0;
  }

  bool feed(KvCache& cache, std::size_t tokens, std::size_t chunk) {
    std::vector<TokenId> ids;
    while (tokens != 0) {
      ids.resize(std::min(chunk, tokens));
      for (TokenId& id : ids) {
        random_ = random_ * 6364136223846793005U + 1442695040888963407U;
        const std::size_t vocab = model_.config().vocab_size;
        std::size_t pick = (random_ >> 33U) % (s_.distinct == 0 ? vocab : s_.distinct);
        if (s_.distinct != 0) pick = pick * 7919 % vocab;
        id = static_cast<TokenId>(pick);
      }
      tokens -= ids.size();
      // A step that decodes chooses a token too, the likeliest, and only that comes back.
      const bool last = tokens == 0 || chunk == 1;
      const ops::SampleRow greedy{};
      StepInput in{.cache = &cache, .ids = ids, .logits_from = ids.size() - (last ? 1 : 0)};
      if (last) in.choices = {&greedy, 1};
      if (const auto out = model_.step({&in, 1}); !out) {
        std::fprintf(stderr, "%s\n", out.error().message.c_str());
        return false;
      }
      cache.strip(0);
    }
    return true;
  }

  StepModel& model_;
  const Settings& s_;
  std::uint64_t random_ = 1;
};

}  // namespace

int model_bench(int argc, char** argv) {
  Settings settings;
  if (argc < 1 || !parse(argc - 1, argv + 1, settings)) return 2;
  const auto model = open_device_model(argv[0], settings.device);
  if (!model) {
    std::fprintf(stderr, "%s\n", model.error().message.c_str());
    return 1;
  }
  return ModelBench(**model, settings).run() ? 0 : 1;
}
