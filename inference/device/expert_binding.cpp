#include "inference/device/expert_binding.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace ambit::inference {
namespace {

constexpr std::uint32_t kMagic = 0x58424D41;  // "AMBX"
constexpr std::uint32_t kVersion = 1;
// After so many tokens all counts are halved: an afternoon of one kind of work does not stay.
constexpr std::uint64_t kRemembered = std::uint64_t{4} << 20U;

struct Header {
  std::uint32_t magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint64_t fingerprint = 0;
  std::uint32_t blocks = 0;
  std::uint32_t experts = 0;
  std::uint64_t tokens = 0;
};
static_assert(sizeof(Header) == 32, "the header has no padding");

}  // namespace

std::size_t ExpertBinding::on_card() const {
  return static_cast<std::size_t>(std::count(cpu.begin(), cpu.end(), 0));
}

std::uint64_t ExpertBinding::fingerprint(std::uint64_t model, std::string_view arithmetic) const {
  std::string all(reinterpret_cast<const char*>(&model), sizeof model);
  all += arithmetic;
  all.append(reinterpret_cast<const char*>(cpu.data()), cpu.size());
  return XXH3_64bits(all.data(), all.size());
}

Result<ExpertUse> ExpertUse::load(const std::filesystem::path& file, std::uint64_t fingerprint,
                                  std::size_t blocks, std::size_t experts) {
  const std::size_t n = blocks * experts;
  const std::size_t size = sizeof(Header) + n * (sizeof(std::uint64_t) + 1);
  AMBIT_TRY(text, read_file(file, size + sizeof(std::uint64_t)));
  const auto damaged = [&](const char* why) {
    return make_error(Code::kCorrupt,
                      file.string() + " is " + why + ", so what it counted is lost");
  };
  if (text.size() != size + sizeof(std::uint64_t)) return damaged("not of this model");
  std::uint64_t hash = 0;
  std::memcpy(&hash, text.data() + size, sizeof hash);
  if (hash != XXH3_64bits(text.data(), size)) return damaged("damaged");
  Header h;
  std::memcpy(&h, text.data(), sizeof h);
  if (h.magic != kMagic || h.version != kVersion) return damaged("of another version");
  if (h.fingerprint != fingerprint || h.blocks != blocks || h.experts != experts) {
    return damaged("not of this model");
  }
  ExpertUse use(blocks, experts);
  use.tokens_ = h.tokens;
  const char* at = text.data() + sizeof h;
  std::memcpy(use.chosen_.data(), at, n * sizeof(std::uint64_t));
  at += n * sizeof(std::uint64_t);
  use.binding_ = {blocks, experts, {at, at + n}};
  for (std::uint8_t& cpu : use.binding_.cpu) cpu = cpu != 0 ? 1 : 0;
  return use;
}

Result<void> ExpertUse::save(const std::filesystem::path& file, std::uint64_t fingerprint,
                             FileSystem& files) const {
  Header h;
  h.fingerprint = fingerprint;
  h.blocks = static_cast<std::uint32_t>(blocks_);
  h.experts = static_cast<std::uint32_t>(experts_);
  h.tokens = tokens_;
  std::string text(reinterpret_cast<const char*>(&h), sizeof h);
  text.append(reinterpret_cast<const char*>(chosen_.data()), chosen_.size() * sizeof chosen_[0]);
  std::vector<std::uint8_t> cpu = binding_.cpu;
  cpu.resize(chosen_.size());
  text.append(reinterpret_cast<const char*>(cpu.data()), cpu.size());
  const std::uint64_t hash = XXH3_64bits(text.data(), text.size());
  text.append(reinterpret_cast<const char*>(&hash), sizeof hash);
  AMBIT_CHECK_OK(files.make_private_directory(file.parent_path()));
  return files.replace(file, text);
}

void ExpertUse::add(std::span<const std::uint32_t> totals, std::size_t tokens) {
  for (std::size_t i = 0; i < chosen_.size(); ++i) {
    chosen_[i] += totals[i] - before_[i];
    before_[i] = totals[i];
  }
  tokens_ += tokens;
  if (tokens_ < kRemembered) return;
  tokens_ /= 2;
  for (std::uint64_t& n : chosen_) n /= 2;
}

std::uint64_t ExpertUse::of_cpu(const ExpertBinding& binding) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < chosen_.size(); ++i) sum += binding.cpu[i] != 0 ? chosen_[i] : 0;
  return sum;
}

const ExpertBinding& ExpertUse::bind(std::size_t on_card) {
  std::vector<std::size_t> order(chosen_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (chosen_[a] != chosen_[b]) return chosen_[a] > chosen_[b];
    const std::size_t ea = a % experts_, eb = b % experts_;
    return ea != eb ? ea < eb : a < b;
  });
  ExpertBinding best{blocks_, experts_, std::vector<std::uint8_t>(chosen_.size(), 1)};
  for (std::size_t i = 0; i < std::min(on_card, order.size()); ++i) best.cpu[order[i]] = 0;
  if (!binding_.cpu.empty()) {
    const std::size_t kept = binding_.on_card();
    const bool fits = kept <= on_card && kept >= on_card - on_card / 20;
    if (fits && 10 * of_cpu(best) >= 9 * of_cpu(binding_)) return binding_;
  }
  binding_ = std::move(best);
  return binding_;
}

double ExpertUse::share_on_card() const {
  const std::uint64_t all = std::accumulate(chosen_.begin(), chosen_.end(), std::uint64_t{0});
  if (all == 0 || binding_.cpu.empty()) return 1;
  return 1 - static_cast<double>(of_cpu(binding_)) / static_cast<double>(all);
}

}  // namespace ambit::inference
