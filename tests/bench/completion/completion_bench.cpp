// completion_bench learn-voters|learn-newest|learn-confidence OUT COUNT REPOSITORY…
// completion_bench evaluate COUNT REPOSITORY…   one JSON line per hole and method
// completion_bench build REPOSITORY…            what the memory costs
// docs/context.md and inference/nano/README.md have figures.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "inference/memory/weights.h"
#include "tests/bench/completion/baselines.h"
#include "tests/bench/completion/learn.h"
#include "tests/bench/completion/memory_of.h"

namespace {

using namespace ambit;
using namespace ambit::bench;
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

int fail(const std::string& message) {
  std::fprintf(stderr, "completion_bench: %s\n", message.c_str());
  return 1;
}

int evaluate(std::size_t count, const std::vector<std::filesystem::path>& roots) {
  for (const auto& root : roots) {
    const auto repository = read_repository(root);
    if (!repository) return fail(repository.error().message);
    const auto view = memory_of(*repository)->view();
    for (const Hole& hole : make_holes(*repository, count, 3)) {
      const auto& path = repository->files[hole.file].path;
      const auto report = [&](const char* method, const std::string& text, double confidence,
                              double ms) {
        nlohmann::json line = {
            {"repository", repository->name},
            {"path", path},
            {"line", std::count(hole.before.begin(), hole.before.end(), '\n') + 1},
            {"kind", to_string(hole.kind)},
            {"method", method},
            {"exact", text == hole.hidden},
            {"similarity", edit_similarity(text, hole.hidden)},
            {"start", !text.empty() && hole.hidden.starts_with(text)},
            {"confidence", confidence},
            {"ms", ms},
            {"text", text},
            {"hidden", hole.hidden}};
        std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
      };
      auto start = Clock::now();
      const auto copied = copy_nearest(*repository, hole);
      report("copy", copied, copied.empty() ? 0 : 1, ms_since(start));
      start = Clock::now();
      const inference::MemoryQuery query(view, {path, hole.before, hole.after});
      const double read_ms = ms_since(start);
      start = Clock::now();
      const auto ngram = ngram_with_cache(query, hole.before);
      report("ngram", ngram, ngram.empty() ? 0 : 1, read_ms + ms_since(start));
      start = Clock::now();
      const auto guesses = query.guess(4, 1);
      const std::string best = guesses.empty() ? "" : guesses[0].text;
      report("memory", best, guesses.empty() ? 0 : inference::guess_confidence(guesses[0]),
             read_ms + ms_since(start));
    }
  }
  return 0;
}

// One JSON line per hole: the text around it and all that the memory offers, for experiments with
// what else could choose among it.
int candidates(std::size_t count, std::uint64_t seed,
               const std::vector<std::filesystem::path>& roots) {
  for (const auto& root : roots) {
    const auto repository = read_repository(root);
    if (!repository) return fail(repository.error().message);
    const auto view = memory_of(*repository)->view();
    for (const Hole& hole : make_holes(*repository, count, seed)) {
      const auto& path = repository->files[hole.file].path;
      const inference::MemoryQuery query(view, {path, hole.before, hole.after});
      nlohmann::json guesses = nlohmann::json::array();
      for (const auto& guess : query.guess(8, 1)) {
        guesses.push_back({{"text", guess.text},
                           {"log_probability", guess.log_probability},
                           {"confidence", inference::guess_confidence(guess)}});
      }
      const nlohmann::json line = {{"repository", repository->name},
                                   {"path", path},
                                   {"kind", to_string(hole.kind)},
                                   {"before", hole.before},
                                   {"after", hole.after},
                                   {"hidden", hole.hidden},
                                   {"copy", copy_nearest(*repository, hole)},
                                   {"ngram", ngram_with_cache(query, hole.before)},
                                   {"guesses", std::move(guesses)}};
      std::puts(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
    }
  }
  return 0;
}

int build(const std::vector<std::filesystem::path>& roots) {
  for (const auto& root : roots) {
    const auto repository = read_repository(root);
    if (!repository) return fail(repository.error().message);
    std::size_t bytes = 0;
    for (const auto& file : repository->files) bytes += file.text.size();
    const auto start = Clock::now();
    const auto view = memory_of(*repository)->view();
    std::printf(
        "%s: %zu files, %zu bytes, %zu lexemes, memory %zu bytes (%.1f per lexeme), %.0f ms\n",
        repository->name.c_str(), view->files, bytes, view->lexemes, view->bytes,
        static_cast<double>(view->bytes) / static_cast<double>(view->lexemes), ms_since(start));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  const bool learns =
      verb == "learn-voters" || verb == "learn-newest" || verb == "learn-confidence";
  const int first = learns ? 4 : verb == "evaluate" || verb == "candidates" ? 3 : 2;
  if ((!learns && verb != "evaluate" && verb != "candidates" && verb != "build") || argc <= first) {
    return fail(
        "usage: learn-voters|learn-newest|learn-confidence OUT COUNT REPOSITORY... | "
        "evaluate|candidates COUNT "
        "REPOSITORY... | build REPOSITORY...");
  }
  const std::vector<std::filesystem::path> roots(argv + first, argv + argc);
  if (verb == "build") return build(roots);
  const auto count = static_cast<std::size_t>(std::atoll(argv[first - 1]));
  if (verb == "evaluate") return evaluate(count, roots);
  if (verb == "candidates") return candidates(count, 4, roots);
  const auto done = verb == "learn-confidence"
                        ? learn_confidence(roots, count, argv[2])
                        : learn_voters(roots, count, argv[2], verb == "learn-newest");
  return done ? 0 : fail(done.error().message);
}
