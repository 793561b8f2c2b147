#include "daemon/assists/completion/next_edit.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "daemon/assists/completion/words.h"

namespace ambit::daemon {

namespace {

using indexer::Snapshot;
using indexer::Symbol;

constexpr std::size_t kMostRenames = 3;
constexpr std::size_t kMostUses = 2000;  // looked at
constexpr float kSureMeaning = 0.5F;

// Without the scope: a brace that is still open somewhere changes what is inside of what.
auto identity(const Symbol& symbol) {
  return std::pair(symbol.kind, symbol.name);
}

// Those without a counterpart in the other list, each with how many that have one stand before it.
using Lone = std::pair<const Symbol*, std::size_t>;
std::vector<Lone> without_counterpart(const std::vector<Symbol>& of,
                                      const std::vector<Symbol>& others) {
  std::set<std::pair<indexer::SymbolKind, std::string>> known;
  for (const auto& symbol : others) known.insert(identity(symbol));
  std::vector<Lone> out;
  std::size_t common = 0;
  for (const auto& symbol : of) {
    if (known.contains(identity(symbol))) {
      ++common;
    } else {
      out.emplace_back(&symbol, common);
    }
  }
  return out;
}

std::string_view rest_of_line(std::string_view text, std::size_t cursor) {
  return text.substr(cursor, text.find_first_of("\r\n", cursor) - cursor);
}

}  // namespace

std::vector<Rename> find_renames(const Snapshot& saved, const Snapshot& now,
                                 const std::string& path) {
  const auto before = saved.symbols_in(path), after = now.symbols_in(path);
  const auto gone = without_counterpart(before, after);
  const auto fresh = without_counterpart(after, before);
  std::vector<Rename> out;
  // Half-written code hides definitions; they find no partner and are left alone.
  const auto partners = [](const Lone& a, const Lone& b) {
    return a.second == b.second && a.first->kind == b.first->kind;
  };
  for (const auto& one : gone) {
    const auto fits = [&](const Lone& other) { return partners(one, other); };
    const auto found = std::find_if(fresh.begin(), fresh.end(), fits);
    if (found == fresh.end() || std::count_if(fresh.begin(), fresh.end(), fits) > 1 ||
        std::count_if(gone.begin(), gone.end(), fits) > 1) {
      continue;
    }
    out.push_back({one.first->name, found->first->name, *one.first});
  }
  if (out.size() > kMostRenames) out.clear();
  return out;
}

std::vector<FollowUp> follow_ups(const Snapshot& saved, const Snapshot& now,
                                 const std::string& path, const Rename& rename, std::size_t limit) {
  std::vector<FollowUp> out;
  const auto add = [&](const std::string& file, indexer::ByteSpan span) {
    const auto text = now.text(file);
    if (text && span.end <= text->size() &&
        std::string_view(*text).substr(span.begin, span.size()) == rename.from) {
      out.push_back({file, span});
    }
  };
  for (const auto& use : now.references_in(path)) {
    if (use.name == rename.from) add(path, use.span);
  }
  // Declared here and defined there, or the other way round, is one thing with two places.
  const Symbol& definition = rename.definition;
  const auto same = [&](const Symbol& other) {
    return other.kind == definition.kind && other.scope == definition.scope &&
           (other.path == path || other.declaration_only != definition.declaration_only);
  };
  for (const auto& other : now.definitions(rename.from, kMostUses)) {
    if (other.path != path && same(other)) add(other.path, other.name_span);
  }
  for (const auto& use : saved.references(rename.from, kMostUses)) {
    if (use.path == path) continue;
    const auto meant = saved.resolve(use.path, use.span.begin);
    if (!meant.empty() && meant[0].confidence >= kSureMeaning && same(meant[0].symbol)) {
      add(use.path, use.span);
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) {
    return std::tie(a.path, a.span) < std::tie(b.path, b.span);
  });
  out.erase(std::unique(
                out.begin(), out.end(),
                [](const auto& a, const auto& b) { return a.path == b.path && a.span == b.span; }),
            out.end());
  if (out.size() > limit) out.resize(limit);
  return out;
}

std::optional<LineEdit> next_edit(const Snapshot& saved, const Snapshot& now,
                                  const std::string& path, std::string_view text,
                                  std::size_t cursor) {
  const auto rest = rest_of_line(text, cursor);
  if (rest.empty()) return std::nullopt;
  // The saved names are at hand; the buffer is parsed only when one of them stands on this line.
  const auto names = saved.symbols_in(path);
  if (std::none_of(names.begin(), names.end(),
                   [&](const auto& symbol) { return has_word(rest, symbol.name); })) {
    return std::nullopt;
  }
  // With an entry chosen in the editor's list the text is not the buffer's.
  const auto buffer = now.text(path);
  if (!buffer || *buffer != text) return std::nullopt;
  for (const auto& rename : find_renames(saved, now, path)) {
    LineEdit out{std::string(rest), rest.size(), rename.from, rename.to};
    std::size_t shift = 0;
    bool any = false;
    for (const auto& use : follow_ups(saved, now, path, rename, kMostUses)) {
      if (use.path != path || use.span.begin < cursor || use.span.end > cursor + rest.size()) {
        continue;
      }
      const auto at = use.span.begin - cursor + shift;
      out.rest.replace(at, use.span.size(), rename.to);
      shift += rename.to.size() - rename.from.size();
      any = true;
    }
    if (any) return out;
  }
  return std::nullopt;
}

}  // namespace ambit::daemon
