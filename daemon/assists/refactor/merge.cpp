#include "daemon/assists/refactor/merge.h"

#include <algorithm>
#include <iterator>
#include <optional>

namespace ambit::daemon {
namespace {

using indexer::LineHunk;
using Pieces = std::vector<std::string_view>;

Pieces lines_of(std::string_view text) {
  Pieces out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

// Words and single other bytes, each with the blanks behind it: blanks by themselves are alike
// everywhere and would tie together what has nothing in common.
Pieces words_of(std::string_view text) {
  const auto in_word = [](char c) {
    const auto u = static_cast<unsigned char>(c);
    return (u >= '0' && u <= '9') || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || u == '_' ||
           u >= 0x80;
  };
  Pieces out;
  for (std::size_t at = 0; at < text.size();) {
    auto end = at + 1;
    if (in_word(text[at])) {
      while (end < text.size() && in_word(text[end])) ++end;
    }
    if (text[at] != '\n') {
      while (end < text.size() && (text[end] == ' ' || text[end] == '\t')) ++end;
    }
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

std::string join(const Pieces& p, std::size_t begin, std::size_t end) {
  std::string out;
  for (auto i = begin; i < end; ++i) out += p[i];
  return out;
}

// One word a line, so that the same algorithm compares words. 0x01 stands for the line break, which
// is a word of its own; a text that holds this byte is compared by lines only.
Result<std::vector<LineHunk>> diff_words(const Pieces& a, const Pieces& b) {
  const auto listed = [](const Pieces& p) {
    std::string out;
    for (const auto w : p) {
      out += w == "\n" ? std::string_view("\x01") : w;
      out += '\n';
    }
    return out;
  };
  return indexer::diff_lines(listed(a), listed(b), true);
}

// Two changes of the same base cannot both be made.
bool clash(const LineHunk& a, const LineHunk& b) {
  const auto a_end = a.old_begin + a.old_count, b_end = b.old_begin + b.old_count;
  if (a.old_count == 0 && b.old_count == 0) return a.old_begin == b.old_begin;
  if (a.old_count == 0) return b.old_begin < a.old_begin && a.old_begin < b_end;
  if (b.old_count == 0) return a.old_begin < b.old_begin && b.old_begin < a_end;
  return std::max(a.old_begin, b.old_begin) < std::min(a_end, b_end);
}

bool same_change(const LineHunk& a, const Pieces& pa, const LineHunk& b, const Pieces& pb) {
  if (a.old_begin != b.old_begin || a.old_count != b.old_count || a.new_count != b.new_count) {
    return false;
  }
  return std::equal(pa.begin() + a.new_begin, pa.begin() + a.new_begin + a.new_count,
                    pb.begin() + b.new_begin);
}

// All of both sides, or nothing where they clash.
std::optional<std::string> merge_words(std::string_view base, std::string_view theirs,
                                       std::string_view current) {
  const auto odd = [](std::string_view t) { return t.find('\x01') != std::string_view::npos; };
  if (odd(base) || odd(theirs) || odd(current)) return std::nullopt;
  const auto a = words_of(base), b = words_of(theirs), c = words_of(current);
  const auto ours = diff_words(a, b), users = diff_words(a, c);
  if (!ours || !users) return std::nullopt;
  struct Change {
    LineHunk hunk;
    const Pieces* pieces;
  };
  std::vector<Change> all;
  for (const auto& h : *users) all.push_back({h, &c});
  for (const auto& h : *ours) {
    bool present = false;
    for (const auto& u : *users) {
      if (same_change(h, b, u, c)) {
        present = true;
      } else if (clash(h, u)) {
        return std::nullopt;
      }
    }
    if (!present) all.push_back({h, &b});
  }
  std::stable_sort(all.begin(), all.end(), [](const Change& x, const Change& y) {
    if (x.hunk.old_begin != y.hunk.old_begin) return x.hunk.old_begin < y.hunk.old_begin;
    return x.hunk.old_count < y.hunk.old_count;
  });
  std::string out;
  std::size_t at = 0;
  for (const auto& change : all) {
    out += join(a, at, change.hunk.old_begin);
    out +=
        join(*change.pieces, change.hunk.new_begin, change.hunk.new_begin + change.hunk.new_count);
    at = change.hunk.old_begin + change.hunk.old_count;
  }
  return out + join(a, at, a.size());
}

// How much two lines have in common: 0…1.
double likeness(std::string_view x, std::string_view y) {
  auto a = words_of(x), b = words_of(y);
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  Pieces common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  std::size_t bytes = 0;
  for (const auto w : common) bytes += w.size();
  return 2.0 * static_cast<double>(bytes) / static_cast<double>(x.size() + y.size());
}

// For each line of base the line of current that it became, or -1: the order-keeping assignment
// with the most in common.
std::vector<int> pair_lines(const Pieces& base, const Pieces& current) {
  const auto n = base.size(), m = current.size();
  std::vector<std::vector<double>> best(n + 1, std::vector<double>(m + 1)), like = best;
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t j = m; j-- > 0;) {
      like[i][j] = likeness(base[i], current[j]);
      best[i][j] = std::max(best[i + 1][j], best[i][j + 1]);
      if (like[i][j] > 0.5) best[i][j] = std::max(best[i][j], best[i + 1][j + 1] + like[i][j]);
    }
  }
  std::vector<int> out(n, -1);
  for (std::size_t i = 0, j = 0; i < n && j < m;) {
    if (like[i][j] > 0.5 && best[i][j] == best[i + 1][j + 1] + like[i][j]) {
      out[i++] = static_cast<int>(j++);
    } else if (best[i][j] == best[i + 1][j]) {
      ++i;
    } else {
      ++j;
    }
  }
  return out;
}

struct Region {
  std::string text;
  std::size_t taken = 0, already = 0, clashes = 0;
};

// Ours are single lines base[i] -> theirs[i]; each goes out of the line that the user made of it.
std::optional<Region> merge_by_line(const Pieces& base, const Pieces& theirs,
                                    const Pieces& current) {
  constexpr std::size_t kMaxLines = 150;
  if (base.size() != theirs.size() || base.size() > kMaxLines || current.size() > kMaxLines) {
    return std::nullopt;
  }
  const auto pairs = pair_lines(base, current);
  std::vector<std::string> now(current.begin(), current.end());
  Region out;
  for (std::size_t i = 0; i < base.size(); ++i) {
    if (base[i] == theirs[i]) continue;
    if (pairs[i] < 0) {
      const bool there = std::find(current.begin(), current.end(), theirs[i]) != current.end();
      (there ? out.already : out.clashes) += 1;
      continue;
    }
    auto& line = now[static_cast<std::size_t>(pairs[i])];
    if (line == theirs[i]) {
      ++out.already;
    } else if (auto merged = merge_words(base[i], theirs[i], line)) {
      (*merged == line ? out.already : out.taken) += 1;
      line = std::move(*merged);
    } else {
      ++out.clashes;
    }
  }
  for (const auto& line : now) out.text += line;
  return out;
}

}  // namespace

Result<Merged> merge_back(std::string_view base, std::string_view theirs, std::string_view current,
                          const std::function<bool(std::size_t)>& wanted) {
  AMBIT_TRY(all_ours, indexer::diff_lines(base, theirs));
  AMBIT_TRY(users, indexer::diff_lines(base, current));
  std::vector<LineHunk> ours;
  for (std::size_t i = 0; i < all_ours.size(); ++i) {
    if (wanted && !wanted(i)) continue;
    const auto& h = all_ours[i];
    // A line for a line: each for itself, so that the user's change of one spares the others.
    const std::uint32_t pieces = h.old_count == h.new_count ? h.old_count : 1;
    for (std::uint32_t n = 0; n < pieces; ++n) {
      ours.push_back(pieces == 1 ? h : LineHunk{h.old_begin + n, 1, h.new_begin + n, 1});
    }
  }
  const auto a = lines_of(base), b = lines_of(theirs), c = lines_of(current);
  Merged out;
  std::size_t at = 0;  // in lines of base
  const auto line_now = [&] {
    return static_cast<std::uint32_t>(std::count(out.text.begin(), out.text.end(), '\n'));
  };
  std::size_t i = 0, k = 0;
  const auto ends = [](const LineHunk& h) { return h.old_begin + h.old_count; };
  const auto before = [&](const LineHunk& x, const LineHunk& y) {
    return x.old_begin < y.old_begin || (x.old_begin == y.old_begin && x.old_count < y.old_count);
  };
  while (i < ours.size() || k < users.size()) {
    if (i < ours.size() && k < users.size() && clash(ours[i], users[k])) {
      // The region that both touch, and whatever reaches into it from either side.
      const auto first_i = i, first_k = k;
      const std::size_t begin = std::min(ours[i].old_begin, users[k].old_begin);
      std::size_t end = std::max(ends(ours[i]), ends(users[k]));
      ++i;
      ++k;
      for (bool grown = true; grown;) {
        grown = false;
        LineHunk region;
        region.old_begin = static_cast<std::uint32_t>(begin);
        region.old_count = static_cast<std::uint32_t>(end - begin);
        if (i < ours.size() && clash(ours[i], region)) {
          end = std::max<std::size_t>(end, ends(ours[i++]));
          grown = true;
        }
        if (k < users.size() && clash(users[k], region)) {
          end = std::max<std::size_t>(end, ends(users[k++]));
          grown = true;
        }
      }
      const auto side = [&](const std::vector<LineHunk>& hunks, std::size_t from, std::size_t to,
                            const Pieces& pieces) {
        std::string text;
        std::size_t p = begin;
        for (auto n = from; n < to; ++n) {
          text += join(a, p, hunks[n].old_begin);
          text += join(pieces, hunks[n].new_begin, hunks[n].new_begin + hunks[n].new_count);
          p = ends(hunks[n]);
        }
        return text + join(a, p, end);
      };
      out.text += join(a, at, begin);
      const auto region_base = join(a, begin, end);
      const auto mine = side(ours, first_i, i, b), user = side(users, first_k, k, c);
      const auto count = i - first_i;
      if (mine == user) {
        out.already += count;
        out.text += user;
      } else if (auto region = merge_by_line(lines_of(region_base), lines_of(mine), lines_of(user));
                 region && ours[first_i].old_count == ours[first_i].new_count) {
        out.taken += region->taken;
        out.already += region->already;
        for (std::size_t n = 0; n < region->clashes; ++n) {
          out.conflicts.push_back({line_now(), "changed since"});
        }
        out.text += region->text;
      } else if (auto merged = merge_words(region_base, mine, user)) {
        (*merged == user ? out.already : out.taken) += count;
        out.text += *merged;
      } else {
        out.conflicts.push_back({line_now(), "changed since"});
        out.text += user;
      }
      at = end;
      continue;
    }
    const bool take_ours = k >= users.size() || (i < ours.size() && before(ours[i], users[k]));
    const auto& h = take_ours ? ours[i] : users[k];
    const auto& pieces = take_ours ? b : c;
    out.text += join(a, at, h.old_begin);
    out.text += join(pieces, h.new_begin, h.new_begin + h.new_count);
    at = ends(h);
    if (take_ours) {
      ++out.taken;
      ++i;
    } else {
      ++k;
    }
  }
  out.text += join(a, at, a.size());
  return out;
}

}  // namespace ambit::daemon
