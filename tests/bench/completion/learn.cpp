#include "tests/bench/completion/learn.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <random>

#include "inference/memory/weights.h"
#include "tests/bench/completion/cases.h"
#include "tests/bench/completion/memory_of.h"

namespace ambit::bench {

namespace {

using namespace inference;

// Adam on a flat vector.
class Adam {
 public:
  explicit Adam(std::size_t n) : m_(n), v_(n) {}
  void step(std::vector<double>& w, const std::vector<double>& g, double rate) {
    ++t_;
    for (std::size_t i = 0; i < w.size(); ++i) {
      m_[i] = 0.9 * m_[i] + 0.1 * g[i];
      v_[i] = 0.999 * v_[i] + 0.001 * g[i] * g[i];
      const double m = m_[i] / (1 - std::pow(0.9, t_)), v = v_[i] / (1 - std::pow(0.999, t_));
      w[i] -= rate * m / (std::sqrt(v) + 1e-8);
    }
  }

 private:
  std::vector<double> m_, v_;
  int t_ = 0;
};

struct Step {
  struct Vote {
    std::uint32_t voter = 0;
    std::array<float, kVoterFeatures> x{};
    float share = 0;  // of the truth
  };
  std::vector<Vote> votes;
  std::array<float, kEscapeFeatures> escape{};
};

// What a novel lexeme costs beyond being told to be novel; any constant gives the same weights.
constexpr double kNovelShare = 1e-3;

double loss_of(const Step& step, const std::vector<double>& w, std::vector<double>* gradient) {
  std::vector<double> e(step.votes.size() + 1);
  double sum = 0, right = 0;
  for (std::size_t i = 0; i < step.votes.size(); ++i) {
    const auto& vote = step.votes[i];
    double z = 0;
    for (std::size_t f = 0; f < kVoterFeatures; ++f)
      z += w[vote.voter * kVoterFeatures + f] * vote.x[f];
    e[i] = std::exp(std::min(z, 30.0));
    sum += e[i];
    right += e[i] * vote.share;
  }
  double z = 0;
  const std::size_t at = kVoters * kVoterFeatures;
  for (std::size_t f = 0; f < kEscapeFeatures; ++f) z += w[at + f] * step.escape[f];
  e.back() = std::exp(std::min(z, 30.0));
  sum += e.back();
  right += e.back() * kNovelShare;
  if (gradient != nullptr) {
    for (std::size_t i = 0; i < step.votes.size(); ++i) {
      const auto& vote = step.votes[i];
      const double d = e[i] / sum - e[i] * vote.share / right;
      for (std::size_t f = 0; f < kVoterFeatures; ++f) {
        (*gradient)[vote.voter * kVoterFeatures + f] += d * vote.x[f];
      }
    }
    const double d = e.back() / sum - e.back() * kNovelShare / right;
    for (std::size_t f = 0; f < kEscapeFeatures; ++f) (*gradient)[at + f] += d * step.escape[f];
  }
  return std::log(sum) - std::log(right);
}

double mean_loss(const std::vector<Step>& steps, const std::vector<double>& w) {
  double total = 0;
  for (const auto& step : steps) total += loss_of(step, w, nullptr);
  return total / static_cast<double>(std::max<std::size_t>(steps.size(), 1));
}

std::string literal(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4f", x);
  return text;
}

}  // namespace

Result<void> learn_voters(const std::vector<std::filesystem::path>& repositories, std::size_t count,
                          const std::filesystem::path& out, bool newest) {
  std::vector<Step> train, held;
  for (const auto& root : repositories) {
    AMBIT_TRY(repository, read_repository(root));
    const auto view = memory_of(repository)->view();
    const auto holes = make_holes(repository, count, 1);
    for (std::size_t h = 0; h < holes.size(); ++h) {
      const Hole& hole = holes[h];
      MemoryQuery query(view, {repository.files[hole.file].path, hole.before, hole.after});
      // What follows the hidden text is the next line's start, whatever its indentation.
      auto lexemes = query.read(hole.hidden);
      const auto behind = query.read(hole.hidden + hole.after.substr(0, 400));
      if (behind.size() > lexemes.size() && is_line_start(id_of(behind[lexemes.size()]))) {
        lexemes.push_back(behind[lexemes.size()]);
      }
      for (std::size_t i = 0; i < lexemes.size() && i < 40; ++i) {
        const auto next = query.next(std::span(lexemes).first(i), true);
        Step step;
        step.escape = next.escape;
        const LexemeId truth = id_of(lexemes[i]);
        for (const auto& ballot : next.ballots) {
          float share = 0;
          for (const auto& [index, s] : ballot.shares) {
            const auto id = id_of(next.by_index[index]);
            if (id == truth || (is_line_start(id) && is_line_start(truth))) share += s;
          }
          step.votes.push_back({static_cast<std::uint32_t>(ballot.voter), ballot.features, share});
        }
        (h % 10 == 0 ? held : train).push_back(std::move(step));
      }
    }
    std::fprintf(stderr, "%s: %zu holes, %zu steps so far\n", repository.name.c_str(), holes.size(),
                 train.size() + held.size());
  }
  std::vector<double> w(kVoters * kVoterFeatures + kEscapeFeatures);
  for (std::size_t v = 0; v < kVoters; ++v) {
    for (std::size_t f = 0; f < kVoterFeatures; ++f) {
      w[v * kVoterFeatures + f] = static_cast<double>(kVoterWeights[v][f]);
    }
  }
  for (std::size_t f = 0; f < kEscapeFeatures; ++f) {
    w[kVoters * kVoterFeatures + f] = static_cast<double>(kEscapeWeights[f]);
  }
  std::printf("nats per lexeme before: train %.4f, kept aside %.4f (%zu and %zu steps)\n",
              mean_loss(train, w), mean_loss(held, w), train.size(), held.size());
  Adam adam(w.size());
  std::mt19937_64 random(7);
  std::vector<std::size_t> order(train.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  constexpr std::size_t kBatch = 256;
  constexpr int kEpochs = 30;
  for (int epoch = 0; epoch < kEpochs; ++epoch) {
    std::shuffle(order.begin(), order.end(), random);
    const double rate = 0.03 * (1 - static_cast<double>(epoch) / kEpochs);
    for (std::size_t at = 0; at < order.size(); at += kBatch) {
      std::vector<double> gradient(w.size());
      const std::size_t n = std::min(kBatch, order.size() - at);
      for (std::size_t i = 0; i < n; ++i) (void)loss_of(train[order[at + i]], w, &gradient);
      for (std::size_t i = 0; i < w.size(); ++i) {
        gradient[i] = gradient[i] / static_cast<double>(n) + 1e-4 * w[i];
      }
      if (newest) std::fill_n(gradient.begin(), (kVoters - 1) * kVoterFeatures, 0.0);
      adam.step(w, gradient, rate);
    }
  }
  std::printf("nats per lexeme after: train %.4f, kept aside %.4f\n", mean_loss(train, w),
              mean_loss(held, w));
  std::ofstream file(out);
  file << "// Written by `completion_bench learn-voters` (tests/bench/completion); do not edit.\n"
          "// clang-format off\n"
          "const std::array<std::array<float, kVoterFeatures>, kVoters> kVoterWeights{{\n";
  for (std::size_t v = 0; v < kVoters; ++v) {
    file << "    {";
    for (std::size_t f = 0; f < kVoterFeatures; ++f) {
      file << literal(w[v * kVoterFeatures + f]) << (f + 1 < kVoterFeatures ? "F, " : "F},\n");
    }
  }
  file << "}};\nconst std::array<float, kEscapeFeatures> kEscapeWeights{";
  for (std::size_t f = 0; f < kEscapeFeatures; ++f) {
    file << literal(w[kVoters * kVoterFeatures + f]) << (f + 1 < kEscapeFeatures ? "F, " : "F};\n");
  }
  file << "// clang-format on\n";
  return {};
}

Result<void> learn_confidence(const std::vector<std::filesystem::path>& repositories,
                              std::size_t count, const std::filesystem::path& out) {
  std::vector<std::array<double, kGuessFeatures>> xs;
  std::vector<bool> right;
  for (const auto& root : repositories) {
    AMBIT_TRY(repository, read_repository(root));
    const auto view = memory_of(repository)->view();
    // Other holes than those that the voters were learnt on.
    for (const Hole& hole : make_holes(repository, count, 2)) {
      MemoryQuery query(view, {repository.files[hole.file].path, hole.before, hole.after});
      const auto guesses = query.guess(4, 1);
      if (guesses.empty()) continue;
      xs.push_back(guess_features(guesses[0]));
      right.push_back(guesses[0].text == hole.hidden);
    }
    std::fprintf(stderr, "%s: %zu guesses so far\n", repository.name.c_str(), xs.size());
  }
  std::vector<double> w(kGuessFeatures), gradient(kGuessFeatures);
  Adam adam(w.size());
  double loss = 0;
  for (int epoch = 0; epoch < 4000; ++epoch) {
    std::fill(gradient.begin(), gradient.end(), 0);
    loss = 0;
    for (std::size_t i = 0; i < xs.size(); ++i) {
      double z = 0;
      for (std::size_t f = 0; f < kGuessFeatures; ++f) z += w[f] * xs[i][f];
      const double p = 1 / (1 + std::exp(-z));
      loss -= std::log(std::max(right[i] ? p : 1 - p, 1e-12));
      for (std::size_t f = 0; f < kGuessFeatures; ++f)
        gradient[f] += (p - (right[i] ? 1 : 0)) * xs[i][f];
    }
    for (double& g : gradient) g /= static_cast<double>(xs.size());
    adam.step(w, gradient, 0.02 * (1 - epoch / 4000.0));
  }
  std::printf("%zu guesses, %.1f %% right, log loss %.4f\n", xs.size(),
              100.0 * static_cast<double>(std::count(right.begin(), right.end(), true)) /
                  static_cast<double>(xs.size()),
              loss / static_cast<double>(xs.size()));
  std::ofstream file(out);
  file << "// Written by `completion_bench learn-confidence` (tests/bench/completion); do not "
          "edit.\n"
          "// clang-format off\n"
          "const std::array<double, kGuessFeatures> kGuessWeights{";
  for (std::size_t f = 0; f < kGuessFeatures; ++f) {
    file << literal(w[f]) << (f + 1 < kGuessFeatures ? ", " : "};\n");
  }
  file << "// clang-format on\n";
  return {};
}

}  // namespace ambit::bench
