#include "indexer/history.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "indexer/index.h"

namespace ambit::indexer {

namespace {
constexpr std::uint32_t kNone = 0xFFFFFFFF;
constexpr double kSecondsPerDay = 86'400;
}  // namespace

History::History(std::string tip, std::int64_t tip_time, std::vector<std::string> paths,
                 std::vector<Commit> commits, bool complete)
    : tip_(std::move(tip)), tip_time_(tip_time), commits_(std::move(commits)), complete_(complete) {
  std::vector<std::uint32_t> order(paths.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return paths[a] < paths[b]; });
  std::vector<std::uint32_t> number(paths.size());
  paths_.reserve(paths.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    number[order[i]] = i;
    paths_.push_back(std::move(paths[order[i]]));
  }
  first_.assign(paths_.size() + 1, 0);
  for (auto& c : commits_) {
    for (auto& f : c.files) {
      f = number[f];
      ++first_[f + 1];
    }
    std::sort(c.files.begin(), c.files.end());
  }
  std::partial_sum(first_.begin(), first_.end(), first_.begin());
  touched_.resize(first_.back());
  auto at = first_;
  for (std::uint32_t c = 0; c < commits_.size(); ++c) {
    for (const auto f : commits_[c].files) touched_[at[f]++] = c;
  }
}

std::uint32_t History::find(std::string_view path) const {
  const auto it = std::lower_bound(paths_.begin(), paths_.end(), path);
  return it != paths_.end() && *it == path ? static_cast<std::uint32_t>(it - paths_.begin())
                                           : kNone;
}

double History::weight(const Commit& c) const {
  const auto age = static_cast<double>(std::max<std::int64_t>(0, tip_time_ - c.time));
  return std::exp2(-age / (kHalfLifeDays * kSecondsPerDay));
}

FileHistory History::of(std::string_view path) const {
  FileHistory out;
  const auto f = find(path);
  if (f == kNone) return out;
  for (auto i = first_[f]; i < first_[f + 1]; ++i) {
    const auto& c = commits_[touched_[i]];
    ++out.commits;
    out.churn += weight(c);
    out.last_change = std::max(out.last_change, c.time);
  }
  if (out.commits != 0) {
    out.seconds_before = std::max<std::int64_t>(0, tip_time_ - out.last_change);
  }
  return out;
}

std::vector<CoChange> History::with(std::string_view path, std::size_t limit) const {
  std::vector<CoChange> out;
  const auto f = find(path);
  if (f == kNone) return out;
  struct Sum {
    std::uint32_t together = 0;
    double weight = 0;
  };
  std::map<std::uint32_t, Sum> others;  // ordered: sums run the same way everywhere
  double all = 0;
  for (auto i = first_[f]; i < first_[f + 1]; ++i) {
    const auto& c = commits_[touched_[i]];
    // A change of this file alone also counts: it was not together with anything.
    const auto n = c.files.size();
    if (n > kCoChangeFiles) continue;
    const double w = weight(c) / std::log2(1.0 + static_cast<double>(n));
    all += w;
    for (const auto other : c.files) {
      if (other == f) continue;
      auto& s = others[other];
      ++s.together;
      s.weight += w;
    }
  }
  for (const auto& [other, s] : others) {
    out.push_back({paths_[other], s.together, all > 0 ? s.weight / all : 0});
  }
  const auto better = [](const CoChange& a, const CoChange& b) {
    return a.strength != b.strength ? a.strength > b.strength : a.path < b.path;
  };
  const auto n = std::min(limit, out.size());
  std::partial_sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n), out.end(), better);
  out.resize(n);
  return out;
}

std::vector<std::string> History::recent(std::size_t limit) const {
  std::vector<std::pair<std::int64_t, std::uint32_t>> order;
  for (std::uint32_t f = 0; f < paths_.size(); ++f) {
    if (first_[f] == first_[f + 1]) continue;
    std::int64_t last = 0;
    for (auto i = first_[f]; i < first_[f + 1]; ++i)
      last = std::max(last, commits_[touched_[i]].time);
    order.emplace_back(-last, f);
  }
  std::sort(order.begin(), order.end());
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min(limit, order.size()); ++i)
    out.push_back(paths_[order[i].second]);
  return out;
}

// What a snapshot without a repository behind it answers.
std::shared_ptr<const History> Snapshot::history() const {
  static const auto kEmpty = std::make_shared<const History>();
  return kEmpty;
}

Result<std::vector<BlameHunk>> Snapshot::blame(std::string_view path, std::uint32_t,
                                               std::uint32_t) const {
  return make_error(Code::kNotFound, std::string(path) + " has no history");
}

}  // namespace ambit::indexer
