// A model split over several cards gives the bits of one card, on every path to the same tokens, in
// whatever order the cards' streams come to run; and a card touches its own memory alone.
// The stand-in runtime shows the devices that AMBIT_EMULATE_DEVICES says; on a machine with several
// real cards these are used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <future>
#include <random>

#include "inference/device/device_model.h"
#include "inference/device/memory.h"
#include "inference/engine/local_backend.h"
#include "inference/kv/prefix_tree.h"
#include "tests/cuda_emulation/half_of_experts.h"
#include "tests/inference/model/golden.h"

namespace ambit::inference {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

// Sets a variable of the environment for a while; null: takes it away.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (value == nullptr) {
      unsetenv(name);
    } else {
      setenv(name, value, 1);
    }
  }
  ~Variable() { unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
};

std::unique_ptr<StepModel> open(const std::filesystem::path& folder, DeviceOptions options) {
  options.state_bytes = std::uint64_t{256} << 20U;
  auto model = open_device_model(folder, options);
  if (!model) {
    ADD_FAILURE() << model.error().message;
    return nullptr;
  }
  return std::move(*model);
}

// A step short enough for emulation is cut into pieces all the same.
DeviceOptions over(std::vector<int> cards, Numerics numerics = Numerics::kRelease) {
  DeviceOptions options;
  options.numerics = numerics;
  options.cards = std::move(cards);
  options.rows_of_a_read = 8;
  return options;
}

class Steps {
 public:
  Steps(StepModel& model, unsigned seed) : model_(model), random_(seed) {}

  std::vector<TokenId> ids(std::size_t n) {
    std::vector<TokenId> out(n);
    for (TokenId& id : out) id = static_cast<TokenId>(random_() % model_.config().vocab_size);
    return out;
  }
  void step(KvCache& cache, std::span<const TokenId> ids) {
    const StepInput in{.cache = &cache, .ids = ids, .logits_from = 0, .mtp_logits = true};
    step(std::span(&in, 1));
  }
  void step(std::span<const StepInput> inputs) {
    const auto out = model_.step(inputs);
    ASSERT_TRUE(out) << out.error().message;
    seen_.insert(seen_.end(), out->logits.begin(), out->logits.end());
    seen_.insert(seen_.end(), out->mtp_logits.begin(), out->mtp_logits.end());
  }
  void draft(KvCache& cache, TokenId next) {
    std::vector<TokenId> out;
    const auto done = model_.propose(cache, next, model_.draft_length(), out);
    ASSERT_TRUE(done) << done.error().message;
    seen_.insert(seen_.end(), out.begin(), out.end());
  }
  // All that came so far.
  [[nodiscard]] const std::vector<float>& seen() const { return seen_; }
  StepModel& model() { return model_; }

 private:
  StepModel& model_;
  std::mt19937 random_;
  std::vector<float> seen_;
};

// Long and short steps, a fork with a batch mate, a rollback, drafts, the prefix tree. Gives the
// first page as it lies on the host; `page`: one to go on from.
PagePtr walk(Steps& s, const Page* page) {
  const auto ids = s.ids(132);
  const std::span<const TokenId> all(ids);
  const PageMaker& maker = s.model().pages();
  KvCache cache(maker);
  s.step(cache, all.first(126));
  KvCache fork = cache;
  for (int i = 0; i < 3; ++i) {
    s.step(cache, all.subspan(static_cast<std::size_t>(cache.length()), 1));
  }
  s.step(cache, s.ids(2));
  cache.truncate(129);
  s.draft(cache, ids[129]);
  s.step(cache, all.subspan(129));

  KvCache other(maker);
  const auto others = s.ids(14);
  const StepInput inputs[] = {{.cache = &other, .ids = others, .logits_from = 14},
                              {.cache = &fork, .ids = all.subspan(126, 3), .logits_from = 1}};
  s.step(inputs);

  PrefixTree tree(maker, std::uint64_t{1} << 40U);
  tree.insert(cache);
  KvCache warm = tree.find(all, 131);
  EXPECT_EQ(warm.length(), 131);
  s.step(warm, all.subspan(131));

  PagePtr out = maker.to_host(*cache.pages()[0]);
  KvCache restored(maker);
  restored.adopt(maker.from_host(page == nullptr ? *out : *page), 128);
  s.step(restored, all.subspan(128, 2));
  return out;
}

template <class T>
bool same(const StateBuffer<T>& a, const StateBuffer<T>& b) {
  return a.bytes() == b.bytes() && (!a || std::memcmp(a.data(), b.data(), a.bytes()) == 0);
}

// As its device() says.
std::size_t cards_of(const StepModel& model) {
  const std::string text = model.device();
  return std::max<std::size_t>(static_cast<std::size_t>(std::count(text.begin(), text.end(), ';')),
                               1);
}

bool is_emulated() {
  const auto library = open_device_library();
  return library && std::string_view(library->cards[0].name) == "emulated device";
}

std::size_t cards_here() {
  const auto library = open_device_library();
  return library ? library->cards.size() : 0;
}

#define NEEDS_CARDS(n) \
  if (cards_here() < (n)) GTEST_SKIP() << "this needs " << (n) << " cards"
#define NEEDS_GOLDEN(folder, name)          \
  const auto folder = golden::folder(name); \
  if (!folder) GTEST_SKIP() << "golden checkpoint " << (name) << " is not here"

// Three cards that do not see one another. DSpark, whose drafts come from the last card, reads what
// layers of two cards leave.
TEST(CudaCards, TheBitsAreThoseOfOneCard) {
  NEEDS_CARDS(3U);
  const auto folder =
      std::filesystem::temp_directory_path() / ("ambit-cuda-cards-" + std::to_string(::getpid()));
  const std::string command = std::string("\"" AMBIT_PYTHON "\" \"" AMBIT_SOURCE_DIR
                                          "/tests/bench/engine/random_checkpoint.py\" small "
                                          "native \"") +
                              folder.string() + "\" dspark";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto walked = [&](std::vector<int> cards, PagePtr& page) {
    DeviceOptions options = over(std::move(cards));
    options.least_confidence = 0;
    const auto model = open(folder, options);
    if (model == nullptr) return std::vector<float>();
    std::printf("%s\n", model->device().c_str());
    EXPECT_EQ(cards_of(*model), options.cards.size());
    EXPECT_EQ(model->device().find("through host memory") != std::string::npos,
              options.cards.size() > 1 && is_emulated());
    Steps steps(*model, 7);
    page = walk(steps, page.get());
    return steps.seen();
  };
  PagePtr page;
  const auto want = walked({0}, page);
  PagePtr other = page;
  const Variable no_peers("AMBIT_EMULATE_NO_PEERS", "1");
  const Variable order("AMBIT_EMULATE_STREAMS", "1");
  const auto got = walked({2, 0, 1}, other);
  std::filesystem::remove_all(folder);
  EXPECT_GT(want.size(), 131U * 512U);
  EXPECT_TRUE(got == want);
  EXPECT_TRUE(same(other->rows, page->rows) && same(other->window, page->window) &&
              same(other->edge, page->edge))
      << "a page on the host depends on the split";
}

// On each card some experts lie in host memory, are copied for long steps and change places.
TEST(CudaCards, HotExpertsOfEachCardKeepTheBits) {
  NEEDS_CARDS(2U);
  NEEDS_GOLDEN(folder, "f32-a");
  std::vector<float> seen[2];
  for (const bool several : {false, true}) {
    const Variable order("AMBIT_EMULATE_STREAMS", several ? "3" : nullptr);
    DeviceOptions options = over(several ? std::vector<int>{0, 1} : std::vector<int>{0});
    if (several) options.weights_bytes = 2'000'000;
    const auto model = open(*folder, options);
    ASSERT_NE(model, nullptr);
    Steps steps(*model, 9);
    KvCache cache(model->pages());
    const auto few = steps.ids(3);
    std::vector<TokenId> again;
    while (again.size() < 24) again.insert(again.end(), few.begin(), few.end());
    for (std::size_t from = 0; from < again.size(); from += 8) {
      steps.step(cache, std::span(again).subspan(from, 8));
    }
    steps.step(cache, steps.ids(20));
    steps.draft(cache, 9);
    seen[several ? 1 : 0] = steps.seen();
    if (!several) continue;
    std::printf("%s\n", model->device().c_str());
    EXPECT_THAT(model->device(),
                ContainsRegex("experts in host.*% of what.*; .*experts in host.*% of what"));
  }
  EXPECT_TRUE(seen[0] == seen[1]);
}

// On whichever card they are bound beside, and whatever comes first.
TEST(CudaCards, ExpertsOfTheCpuKeepTheBitsBesideAnyOneCard) {
  NEEDS_CARDS(2U);
  NEEDS_GOLDEN(folder, "q-c");
  std::vector<float> seen[2];
  for (const bool other : {false, true}) {
    const Variable order("AMBIT_EMULATE_STREAMS", other ? "5" : nullptr);
    DeviceOptions options = over({other ? 1 : 0});
    options.cpu_experts = true;
    options.threads = 2;
    options.weights_bytes = bytes_with_half_of_experts(*folder);
    const auto model = open(*folder, options);
    ASSERT_NE(model, nullptr);
    EXPECT_THAT(model->device(), HasSubstr("computed by the CPU"));
    Steps steps(*model, 3);
    KvCache cache(model->pages());
    steps.step(cache, steps.ids(9));
    for (int i = 0; i < 3; ++i) steps.step(cache, steps.ids(1));
    seen[other ? 1 : 0] = steps.seen();
  }
  EXPECT_TRUE(seen[0] == seen[1]);
}

TEST(CudaCards, AnswersOfTheEngineAreThoseOfOneCard) {
  NEEDS_CARDS(2U);
  NEEDS_GOLDEN(folder, "q-c");
  std::vector<TokenId> answers[2];
  for (const bool several : {false, true}) {
    auto model = open(*folder, over(several ? std::vector<int>{0, 1} : std::vector<int>{0}));
    ASSERT_NE(model, nullptr);
    const auto backend = make_local_backend(std::move(model), {});
    std::promise<GenerateResult> done;
    GenerateEvents events;
    auto& answer = answers[several ? 1 : 0];
    events.on_tokens = [&](std::span<const GeneratedToken> tokens) {
      for (const GeneratedToken& t : tokens) answer.push_back(t.id);
    };
    events.on_done = [&](const GenerateResult& r) { done.set_value(r); };
    GenerateRequest request;
    for (TokenId id = 40; id < 60; ++id) request.prompt.push_back(5 * id);
    request.max_new_tokens = 6;
    backend->submit(request, events, {});
    EXPECT_EQ(done.get_future().get().finish, Finish::kLength);
  }
  EXPECT_EQ(answers[0].size(), 6U);
  EXPECT_EQ(answers[0], answers[1]);
}

TEST(CudaCards, CardsThatCannotBeTakenAreNamedInOneLine) {
  NEEDS_CARDS(2U);
  NEEDS_GOLDEN(folder, "q-c");
  const auto problem = [&](std::vector<int> cards) {
    const auto model = open_device_model(*folder, over(std::move(cards)));
    return model ? std::string() : model.error().message;
  };
  EXPECT_THAT(problem({0, 90}), HasSubstr("card 90, which is not there; there are 0 ("));
  EXPECT_THAT(problem({0, 0}), HasSubstr("card 0 twice"));
  DeviceOptions both = over({0, 1});
  both.cpu_experts = true;
  both.weights_bytes = bytes_with_half_of_experts(*folder) / 4;
  const auto refused = open_device_model(*folder, both);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("host_experts = \"cpu\" works with one card;"));
  // One card holds this model, so no second one is taken unasked.
  const auto model = open(*folder, over({}));
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(cards_of(*model), 1U);
}

// What the tests above rest on: a kernel that reads another card's memory does not get away with
// it.
TEST(CudaCards, AKernelThatTouchesAnotherCardsMemoryIsStopped) {
  NEEDS_CARDS(2U);
  if (!is_emulated()) GTEST_SKIP() << "this is about the emulation";
  const auto library = open_device_library();
  const auto add = [&](int memory, int kernel, bool linked) {
    const ops::cuda::Api& api = *library->api;
    Device owner(api, memory), runner(api, kernel);
    DeviceBuffer x(owner, 64 * sizeof(float));
    owner.clear(x.data(), x.size());
    if (!owner.wait() || (linked && !api.link(kernel, memory))) return 9;
    ops::cuda::AddArgs args;
    args.x = reinterpret_cast<float*>(x.data());
    args.y = args.x;
    args.rows = 1;
    args.dim = 64;
    runner.run(api.add_rows, args, "add_rows");
    return runner.wait() ? 0 : 1;
  };
  EXPECT_EXIT(std::_Exit(add(0, 1, false)), testing::ExitedWithCode(3),
              "a kernel on device 1 touched memory of device 0");
  EXPECT_EXIT(std::_Exit(add(1, 1, false)), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(std::_Exit(add(0, 1, true)), testing::ExitedWithCode(0), "");
  // Nor does a launch on a stream of another card.
  EXPECT_EXIT(
      {
        Device one(*library->api, 1);
        DeviceBuffer x(one, 256);
        void* foreign = library->api->use(0) ? library->api->make_event() : nullptr;
        one.record(foreign);
        std::_Exit(one.problem().empty() ? 0 : 7);
      },
      testing::ExitedWithCode(7), "");
}

}  // namespace
}  // namespace ambit::inference
