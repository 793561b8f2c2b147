#include "daemon/assists/refactor/rename_sites.h"

#include <algorithm>

#include "daemon/assists/refactor/judge_mention.h"
#include "daemon/assists/refactor/site_text.h"
#include "daemon/assists/refactor/visibility.h"
#include "indexer/search/snapshot.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;

namespace {

// The name of a parameter in a prototype: no function has it as a variable, so the facts do not
// either. Parses the file when it is asked for the first time.
class PrototypeParameters {
 public:
  explicit PrototypeParameters(const ParsedFile& file) : file_(file) {}
  [[nodiscard]] bool contain(ByteSpan at) {
    if (!c_family(file_.language) || !could_be(at)) return false;
    if (!tree_) tree_ = indexer::SyntaxTree::parse(file_.language, file_.text);
    if (!*tree_) return false;
    const auto& tree = **tree_;
    auto child = tree.around(at);
    while (tree[child].field == "declarator" && tree[child].parent != indexer::kNoNode) {
      child = tree[child].parent;
      if (tree[child].type.ends_with("parameter_declaration")) return true;
    }
    // The grammar gives the name behind a reference no field.
    const auto above = tree[child].parent;
    return above != indexer::kNoNode && tree[above].type == "reference_declarator" &&
           tree[above].parent != indexer::kNoNode &&
           tree[tree[above].parent].type.ends_with("parameter_declaration");
  }

 private:
  // Behind a type, and before what may follow a parameter's name.
  [[nodiscard]] bool could_be(ByteSpan at) const {
    const std::string_view text = file_.text;
    auto before = static_cast<std::size_t>(at.begin), after = static_cast<std::size_t>(at.end);
    while (before > 0 && (text[before - 1] == ' ' || text[before - 1] == '\n')) --before;
    while (after < text.size() && (text[after] == ' ' || text[after] == '\n')) ++after;
    if (before == 0 || after >= text.size()) return false;
    const char left = text[before - 1];
    return (word_byte(left) || left == '&' || left == '*' || left == '>') &&
           std::string_view(",)=[").find(text[after]) != std::string_view::npos;
  }
  const ParsedFile& file_;
  std::optional<Result<indexer::SyntaxTree>> tree_;
};

}  // namespace

std::vector<RenameSite> find_sites(const indexer::Snapshot& snapshot, const ParsedFile& f,
                                   const RenameGroup& g, Visibility& visibility) {
  const std::string_view text = f.text;
  std::vector<RenameSite> out;
  std::map<std::uint32_t, bool> code;  // position -> does the grammar name it
  for (const auto& m : f.facts.mentions) {
    // A destructor or a generic type may be one mention around the word.
    const auto words = text.substr(m.span.begin, m.span.size());
    const auto inner = words == g.name ? 0 : words == "~" + g.name ? 1 : std::string_view::npos;
    if (inner != std::string_view::npos) {
      code[m.span.begin + static_cast<std::uint32_t>(inner)] = true;
    }
  }
  std::set<std::uint32_t> defined, others;
  for (const auto& d : g.definitions) {
    if (d.path == f.path) {
      const auto words = text.substr(d.name_span.begin, d.name_span.size());
      defined.insert(d.name_span.begin + (words.starts_with('~') ? 1U : 0U));
    }
  }
  for (const auto& d : f.facts.definitions) {
    if (text.substr(d.name.begin, d.name.size()) == g.name && !defined.contains(d.name.begin)) {
      others.insert(d.name.begin);
    }
  }
  for (const auto& l : f.facts.locals) {
    if (text.substr(l.name.begin, l.name.size()) == g.name) code.try_emplace(l.name.begin, true);
  }
  std::set<std::uint32_t> lexical;  // outside comments and strings, as far as bytes tell
  indexer::find_mentions(text, f.language, g.name,
                         [&](ByteSpan span, std::uint32_t, std::uint32_t, indexer::ReferenceKind) {
                           lexical.insert(span.begin);
                           return true;
                         });
  PrototypeParameters parameters(f);
  std::uint32_t line = 0;
  std::size_t line_start = 0, counted = 0;
  for (auto at = text.find(g.name); at != std::string_view::npos; at = text.find(g.name, at + 1)) {
    const auto end = at + g.name.size();
    if ((at > 0 && word_byte(text[at - 1])) || (end < text.size() && word_byte(text[end])))
      continue;
    for (; counted < at; ++counted) {
      if (text[counted] == '\n') {
        ++line;
        line_start = counted + 1;
      }
    }
    RenameSite s;
    s.span = {static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(end)};
    s.line = line;
    s.column = static_cast<std::uint32_t>(at - line_start);
    const bool in_module =
        std::any_of(f.facts.imports.begin(), f.facts.imports.end(), [&](const indexer::Import& i) {
          const auto m = text.substr(i.module.begin, i.module.size());
          return i.module.begin <= s.span.begin && s.span.end <= i.module.end &&
                 (m.starts_with('"') || m.starts_with('\'') || m.starts_with('<'));
        });
    if (in_module) continue;  // the name of a file
    const bool shorthand = is_shorthand(text, s.span, f.language);
    if (others.contains(s.span.begin) && !shorthand) continue;
    if (defined.contains(s.span.begin) && !shorthand) {
      s.definition = true;
      s.confidence = 1;
      s.why = "definition";
      out.push_back(s);
      continue;
    }
    const auto known = code.find(s.span.begin);
    const bool named = known != code.end();
    if (named || shorthand || lexical.contains(s.span.begin)) {
      if (!g.local && parameters.contain(s.span)) continue;
      s.confidence = judge_mention(snapshot, f, g, visibility, s.span, named, s.why);
      if (s.confidence <= 0) continue;
      // Seen by bytes alone: sure only where such text cannot be part of a string.
      if (!named && !shorthand && !c_family(f.language) && f.language != Language::kPython) {
        s.confidence = std::min(s.confidence, 0.5F);
        s.why = "in text that the grammar does not name";
      }
      if (shorthand) (g.member ? s.after : s.before) = ": ";
      out.push_back(s);
      continue;
    }
    const auto before = text.substr(line_start, at - line_start);
    s.place = std::count(before.begin(), before.end(), '"') % 2 != 0 ||
                      std::count(before.begin(), before.end(), '\'') % 2 != 0 ||
                      std::count(before.begin(), before.end(), '`') % 2 != 0
                  ? Place::kString
                  : Place::kComment;
    s.confidence = 0.5F;
    s.why = s.place == Place::kString ? "in a string" : "in a comment";
    out.push_back(s);
  }
  return out;
}

}  // namespace ambit::daemon
