// Symbol search by fuzzy name, text search by trigrams.
#include <algorithm>
#include <cctype>
#include <set>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "indexer/search/snapshot.h"

namespace ambit::indexer {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// 0: no match. Letters in order; starts of words, runs, the same case and short names score higher.
int fuzzy_score(std::string_view query, std::string_view name) {
  if (query.size() > name.size()) return 0;
  int score = 1;
  std::size_t q = 0;
  bool run = false;
  for (std::size_t i = 0; i < name.size() && q < query.size(); ++i) {
    if (lower(name[i]) != lower(query[q])) {
      run = false;
      continue;
    }
    const bool start = i == 0 || name[i - 1] == '_' || name[i - 1] == '-' ||
                       (std::isupper(static_cast<unsigned char>(name[i])) != 0 &&
                        std::islower(static_cast<unsigned char>(name[i - 1])) != 0);
    score += 1 + (start ? 6 : 0) + (run ? 4 : 0) + (name[i] == query[q] ? 1 : 0) + (i == q ? 3 : 0);
    run = true;
    ++q;
  }
  if (q < query.size()) return 0;
  score = score * 64 - static_cast<int>(std::min<std::size_t>(name.size(), 60));
  if (name.size() == query.size()) score += 4096;
  return std::max(score, 1);
}

// Literal runs that every match of a regular expression holds. Conservative: anything unusual ends
// the run, alternation at the top or a group drops what it may make optional.
std::vector<std::string> required_literals(std::string_view re) {
  std::vector<std::string> out;
  std::string run;
  const auto end_run = [&] {
    if (run.size() >= 3) out.push_back(run);
    run.clear();
  };
  if (re.find('|') != std::string_view::npos || re.find("(?") != std::string_view::npos) return {};
  int depth = 0;
  for (std::size_t i = 0; i < re.size(); ++i) {
    char c = re[i];
    bool literal = true;
    if (c == '\\' && i + 1 < re.size()) {
      c = re[++i];
      literal = std::isalnum(static_cast<unsigned char>(c)) == 0;
      if (c == 'Q' || c == 'E') return {};
    } else if (c == '[') {
      auto at = i + 1;
      if (at < re.size() && re[at] == '^') ++at;
      if (at < re.size() && re[at] == ']') ++at;
      while (at < re.size() && re[at] != ']') at += re[at] == '\\' ? 2 : 1;
      i = at;
      literal = false;
    } else if (c == '(') {
      ++depth;
      literal = false;
    } else if (c == ')') {
      --depth;
      literal = false;
    } else if (std::string_view(".^$").find(c) != std::string_view::npos) {
      literal = false;
    } else if (std::string_view("*+?{").find(c) != std::string_view::npos) {
      if (!run.empty()) run.pop_back();
      end_run();
      if (c == '{') i = std::min(re.find('}', i), re.size());
      continue;
    }
    if (!literal || depth > 0) {  // a group may be optional
      end_run();
      continue;
    }
    run.push_back(c);
  }
  end_run();
  return out;
}

struct Pattern {
  pcre2_code* code = nullptr;
  pcre2_match_data* data = nullptr;
  Pattern() = default;
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() {
    if (data != nullptr) pcre2_match_data_free(data);
    if (code != nullptr) pcre2_code_free(code);
  }
};

}  // namespace

std::vector<Symbol> SnapshotImpl::find_symbols(std::string_view query, std::size_t limit) const {
  if (query.empty() || limit == 0) return {};
  struct Hit {
    int score;
    std::string name;
    bool operator<(const Hit& o) const {
      return score != o.score ? score > o.score : name < o.name;
    }
  };
  std::set<Hit> best;
  const auto offer = [&](std::string_view name) {
    const int score = fuzzy_score(query, name);
    if (score == 0) return;
    if (best.size() >= limit && score <= std::prev(best.end())->score) return;
    best.insert({score, std::string(name)});
    if (best.size() > limit) best.erase(std::prev(best.end()));
  };
  const auto letters = Segment::letters_of(query);
  for (const auto& s : base_->segments) s->for_each_defined(letters, offer);
  for (const auto& [path, p] : buffers_) {
    for (const auto& d : p->facts().definitions)
      offer(std::string_view(*p->text).substr(d.name.begin, d.name.size()));
  }
  std::vector<Symbol> out;
  for (const auto& hit : best) {
    for (auto& s : definitions(hit.name, limit - out.size())) out.push_back(std::move(s));
    if (out.size() >= limit) break;
  }
  return out;
}

Result<std::vector<TextMatch>> SnapshotImpl::search(std::string_view wanted, bool regex,
                                                    std::size_t limit, std::stop_token stop) const {
  std::vector<TextMatch> out;
  if (wanted.empty() || limit == 0) return out;
  Pattern pattern;
  std::vector<std::string> literals;
  if (regex) {
    int error = 0;
    PCRE2_SIZE at = 0;
    pattern.code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(wanted.data()), wanted.size(),
                                 PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
    if (pattern.code == nullptr) {
      PCRE2_UCHAR message[160];
      pcre2_get_error_message(error, message, sizeof message);
      return make_error(Code::kInvalidArgument, "the regular expression is wrong at " +
                                                    std::to_string(at) + ": " +
                                                    reinterpret_cast<const char*>(message));
    }
    pcre2_jit_compile(pattern.code, PCRE2_JIT_COMPLETE);
    pattern.data = pcre2_match_data_create_from_pattern(pattern.code, nullptr);
    literals = required_literals(wanted);
  } else {
    literals.emplace_back(wanted);
  }

  const auto scan = [&](const std::string& path, std::string_view text) {
    std::uint32_t line = 0;
    std::size_t counted = 0, line_start = 0;
    for (std::size_t at = 0; at <= text.size() && out.size() < limit;) {
      std::size_t begin = 0, end = 0;
      if (regex) {
        const int rc = pcre2_match(pattern.code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                   text.size(), at, 0, pattern.data, nullptr);
        if (rc < 0) return;
        const auto* v = pcre2_get_ovector_pointer(pattern.data);
        begin = v[0];
        end = v[1];
      } else {
        begin = text.find(wanted, at);
        if (begin == std::string_view::npos) return;
        end = begin + wanted.size();
      }
      for (; counted < begin; ++counted) {
        if (text[counted] == '\n') {
          ++line;
          line_start = counted + 1;
        }
      }
      const auto line_end = std::min(text.find('\n', begin), text.size());
      if (end > begin) {
        out.push_back({path, line, static_cast<std::uint32_t>(begin - line_start),
                       static_cast<std::uint32_t>(std::min(end, line_end) - begin),
                       std::string(text.substr(
                           line_start, std::min<std::size_t>(line_end - line_start, 1000)))});
      }
      at = std::max(end, begin + 1);
    }
  };

  for (const auto& [path, p] : buffers_) scan(path, *p->text);
  std::vector<std::uint32_t> files;
  std::vector<std::uint32_t> candidates, list, both;
  for (std::size_t s = 0; s < base_->segments.size(); ++s) {
    bool all = true;
    candidates.clear();
    std::set<std::uint32_t> trigrams;
    for (const auto& l : literals) {
      for (std::size_t i = 0; i + 3 <= l.size(); ++i) {
        if (l[i] == '\n' || l[i + 1] == '\n' || l[i + 2] == '\n') continue;
        trigrams.insert(static_cast<std::uint32_t>(static_cast<unsigned char>(l[i])) << 16 |
                        static_cast<std::uint32_t>(static_cast<unsigned char>(l[i + 1])) << 8 |
                        static_cast<unsigned char>(l[i + 2]));
      }
    }
    std::vector<RecordList> lists;
    for (const auto t : trigrams) lists.push_back(base_->segments[s]->texts_with(t));
    std::sort(lists.begin(), lists.end(),
              [](auto a, auto b) { return a.bytes.size() < b.bytes.size(); });
    for (const auto& l : lists) {
      list.clear();
      read_records(l, list);
      if (all) {
        candidates = list;
        all = false;
      } else {
        both.clear();
        std::set_intersection(candidates.begin(), candidates.end(), list.begin(), list.end(),
                              std::back_inserter(both));
        candidates.swap(both);
      }
      if (candidates.size() < 8) break;  // reading these is cheaper than further lists
    }
    const auto& first = base_->first_file[s];
    const auto take = [&](std::uint32_t record) {
      if (record >= first.size()) return;
      for (auto f = first[record]; f != kNoRecord; f = base_->files[f].next_same)
        files.push_back(f);
    };
    if (all) {
      for (std::uint32_t r = 0; r < first.size(); ++r) take(r);
    } else {
      for (const auto r : candidates) take(r);
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto i : files) {
    const auto& f = base_->files[i];
    if (out.size() >= limit) break;
    if (stop.stop_requested()) return make_error(Code::kCancelled, "the search was cancelled");
    if (hidden(f.path) || !is_indexed(f.file_class)) continue;
    if (auto content = base_->source->text(f)) scan(f.path, *content);
  }
  return out;
}

}  // namespace ambit::indexer
