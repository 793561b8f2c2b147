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
constexpr std::size_t kMostFiles = 4;    // open beside the cursor's, for a line
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

std::vector<HandRename> find_renames(const Snapshot& saved, const Snapshot& now,
                                     const std::string& path) {
  const auto before = saved.symbols_in(path), after = now.symbols_in(path);
  const auto gone = without_counterpart(before, after);
  const auto fresh = without_counterpart(after, before);
  std::vector<HandRename> out;
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

std::vector<Use> uses_of(const Snapshot& saved, const Snapshot& now, const std::string& path,
                         const Symbol& definition, const std::string& name, std::size_t limit) {
  std::vector<Use> out;
  const auto add = [&](const std::string& file, indexer::ByteSpan span) {
    const auto text = now.text(file);
    if (text && span.end <= text->size() &&
        std::string_view(*text).substr(span.begin, span.size()) == name) {
      out.push_back({file, span});
    }
  };
  for (const auto& use : now.references_in(path)) {
    if (use.name == name) add(path, use.span);
  }
  // Declared here and defined there, or the other way round, is one thing with two places.
  const auto same = [&](const Symbol& other) {
    return other.kind == definition.kind && other.scope == definition.scope &&
           (other.path == path || other.declaration_only != definition.declaration_only);
  };
  for (const auto& other : now.definitions(name, kMostUses)) {
    if (other.path != path && same(other)) add(other.path, other.name_span);
  }
  for (const auto& use : saved.references(name, kMostUses)) {
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

std::vector<HandEdit> find_hand_edits(const Snapshot& saved, const Snapshot& now,
                                      const std::string& path) {
  std::vector<HandEdit> out;
  for (auto& one : find_renames(saved, now, path)) out.emplace_back(std::move(one));
  for (auto& one : find_signature_changes(saved, now, path)) out.emplace_back(std::move(one));
  return out;
}

std::string describe(const HandEdit& edit) {
  if (const auto* rename = std::get_if<HandRename>(&edit)) {
    return "rename the other uses of " + rename->from + " to " + rename->to;
  }
  const auto& change = std::get<SignatureChange>(edit);
  const auto& of = change.definition.name;
  switch (change.kind) {
    case SignatureChange::kAdded:
      return "pass " + change.to + " to " + of + " everywhere";
    case SignatureChange::kRemoved:
      return "take " + change.from + " out of the calls of " + of;
    default:
      return "rename the argument " + change.from + " of " + of + " to " + change.to;
  }
}

std::vector<PlaceEdit> what_follows(const Snapshot& saved, const Snapshot& now,
                                    const std::string& path, const HandEdit& edit,
                                    std::size_t limit) {
  if (const auto* change = std::get_if<SignatureChange>(&edit)) {
    return fit_signature(saved, now, path, *change, limit);
  }
  const auto& rename = std::get<HandRename>(edit);
  std::vector<PlaceEdit> out;
  for (auto& use : uses_of(saved, now, path, rename.definition, rename.from, limit)) {
    out.push_back({std::move(use.path), use.span, rename.to});
  }
  return out;
}

std::optional<LineEdit> next_edit(const Snapshot& saved, const Snapshot& now,
                                  const std::string& path,
                                  const std::vector<std::string>& open_files, std::string_view text,
                                  std::size_t cursor) {
  const auto rest = rest_of_line(text, cursor);
  if (rest.empty()) return std::nullopt;
  std::vector<std::string> edited{path};
  for (const auto& file : open_files) {
    if (file != path && edited.size() <= kMostFiles) edited.push_back(file);
  }
  std::optional<Result<std::string>> buffer;
  for (const auto& file : edited) {
    // The saved names are at hand; texts are parsed only when one of them stands on this line.
    const auto names = saved.symbols_in(file);
    if (std::none_of(names.begin(), names.end(),
                     [&](const auto& symbol) { return has_word(rest, symbol.name); })) {
      continue;
    }
    // With an entry chosen in the editor's list the text is not the buffer's.
    if (!buffer) buffer = now.text(path);
    if (!*buffer || **buffer != text) return std::nullopt;
    for (const auto& edit : find_hand_edits(saved, now, file)) {
      LineEdit out{std::string(rest), rest.size()};
      std::size_t shift = 0;  // wraps around where the line gets shorter
      bool any = false;
      for (const auto& place : what_follows(saved, now, file, edit, kMostUses)) {
        if (place.path != path || place.span.begin < cursor ||
            place.span.end > cursor + rest.size()) {
          continue;
        }
        out.rest.replace(place.span.begin - cursor + shift, place.span.size(), place.text);
        shift += place.text.size() - place.span.size();
        any = true;
      }
      if (any) return out;
    }
  }
  return std::nullopt;
}

}  // namespace ambit::daemon
