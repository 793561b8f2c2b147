#include "tests/bench/completion/baselines.h"

#include <algorithm>
#include <cmath>

namespace ambit::bench {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n';
}

// Characters in which the ends agree, a run of white space being one.
std::size_t common_suffix(std::string_view a, std::string_view b) {
  std::size_t i = a.size(), k = b.size(), n = 0;
  while (i > 0 && k > 0 && n < 400) {
    if (is_blank(a[i - 1]) && is_blank(b[k - 1])) {
      while (i > 0 && is_blank(a[i - 1])) --i;
      while (k > 0 && is_blank(b[k - 1])) --k;
    } else if (a[i - 1] == b[k - 1]) {
      --i, --k;
    } else {
      break;
    }
    ++n;
  }
  return n;
}

}  // namespace

std::string copy_nearest(const Repository& repository, const Hole& hole) {
  std::size_t best = 7;
  std::string out;
  const std::string_view before = hole.before;
  const auto look = [&](std::string_view text, bool backwards) {
    const std::string_view last =
        before.substr(before.size() - std::min<std::size_t>(4, before.size()));
    if (last.empty()) return;
    const auto consider = [&](std::size_t at) {
      const std::size_t n = common_suffix(before, text.substr(0, at));
      if (n <= best) return;
      const auto rest = text.substr(at, text.find('\n', at) - at);
      if (rest.find_first_not_of(" \t") == std::string_view::npos) return;
      best = n;
      out = rest;
    };
    if (backwards) {
      for (auto at = text.rfind(last); at != std::string_view::npos && at > 0;
           at = text.rfind(last, at - 1)) {
        consider(at + last.size());
      }
    } else {
      for (auto at = text.find(last); at != std::string_view::npos; at = text.find(last, at + 1)) {
        consider(at + last.size());
      }
    }
  };
  look(before.substr(0, before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1),
       true);
  look(hole.after, false);
  for (std::size_t f = 0; f < repository.files.size(); ++f) {
    if (f != hole.file) look(repository.files[f].text, false);
  }
  out.resize(std::min(out.size(), out.find_last_not_of(" \t") + 1));
  return out;
}

std::string ngram_with_cache(const inference::MemoryQuery& query, const std::string& before) {
  using namespace inference;
  std::vector<Lexeme> grown;
  std::string out;
  for (int step = 0; step < 40; ++step) {
    const NextStep next = query.next(grown, true);
    std::vector<double> score(next.by_index.size());
    for (const Ballot& ballot : next.ballots) {
      if (ballot.voter >= lexical_voter(4, 0)) continue;  // contexts of one to four lexemes
      const std::size_t depth = ballot.voter / 3, place = ballot.voter % 3;
      const double weight = std::pow(4.0, static_cast<double>(depth) + 1) *
                            (1 + static_cast<double>(ballot.features[1])) *
                            (place == kHere ? 3 : 1);
      for (const auto& [index, share] : ballot.shares) {
        score[index] += weight * static_cast<double>(share);
      }
    }
    const auto best = std::max_element(score.begin(), score.end());
    if (best == score.end() || *best <= 0) break;
    const Lexeme lexeme = next.by_index[static_cast<std::size_t>(best - score.begin())];
    if (is_line_start(id_of(lexeme))) break;
    std::string_view text = query.text_of(id_of(lexeme));
    if (grown.empty()) {
      // The part of a word that stands before the cursor is not written again.
      std::size_t have = 0;
      for (std::size_t n = std::min(before.size(), text.size()); n > 0 && have == 0; --n) {
        if (is_word_byte(static_cast<unsigned char>(text[0])) &&
            std::string_view(before).substr(before.size() - n) == text.substr(0, n)) {
          have = n;
        }
      }
      const bool spaced = !before.empty() && is_blank(before.back());
      if (have == 0 && space_of(lexeme) != 0 && !spaced) out += ' ';
      text.remove_prefix(have);
    } else if (space_of(lexeme) != 0) {
      out += ' ';
    }
    out += text;
    grown.push_back(lexeme);
  }
  return out;
}

}  // namespace ambit::bench
