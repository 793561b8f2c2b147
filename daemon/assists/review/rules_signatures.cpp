// A signature that callers do not know yet.
#include <algorithm>
#include <set>

#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/lexical.h"
#include "daemon/assists/review/uses.h"

namespace ambit::daemon::review {

using indexer::Definition;
using indexer::Language;
using indexer::SymbolKind;

namespace {

std::size_t parameters_at(std::string_view code, const Definition& d) {
  auto at = code.find_first_not_of(" \t\r\n", d.name.end);
  if (at == std::string_view::npos) return code.size();
  if (code[at] == '<' || code[at] == '[') {  // type parameters
    const char open = code[at], close = open == '<' ? '>' : ']';
    int depth = 0;
    for (; at < code.size() && at - d.name.end < 400; ++at) {
      depth += code[at] == open ? 1 : code[at] == close ? -1 : 0;
      if (depth == 0) break;
    }
    at = code.find_first_not_of(" \t\r\n", at + 1);
  }
  return at != std::string_view::npos && code[at] == '(' ? at : code.size();
}

bool counts_arguments(Language l) {
  switch (l) {
    case Language::kC:
    case Language::kCpp:
    case Language::kCuda:
    case Language::kPython:
    case Language::kJavaScript:
    case Language::kTypeScript:
    case Language::kTsx:
    case Language::kGo:
    case Language::kRust:
    case Language::kJava:
      return true;
    default:
      return false;
  }
}

// All definitions and declarations of one name in one text, as one arity; nullopt when they differ
// (overloads), or when it cannot be told.
struct Signature {
  Arity arity;
  std::string scope;
  bool exported = true;
};
std::optional<Signature> signature_in(std::string_view path, const Side& side,
                                      std::string_view code, Language language,
                                      std::string_view name) {
  std::optional<Signature> out;
  const auto& all = side.facts.definitions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& d = all[i];
    if (side.slice(d.name) != name) continue;
    if (d.kind != SymbolKind::kFunction && d.kind != SymbolKind::kMethod) return std::nullopt;
    if (language == Language::kPython && side.text.compare(d.span.begin, 1, "@") == 0)
      return std::nullopt;
    const auto arity = count_parameters(code, parameters_at(code, d), language);
    if (!arity) return std::nullopt;
    auto scope = indexer::make_symbol(path, side.text, language, all, i).scope;
    if (!out) {
      out = Signature{*arity, std::move(scope), d.exported};
    } else {
      if (out->arity.most != arity->most || out->scope != scope) return std::nullopt;
      out->arity.least = std::min(out->arity.least, arity->least);  // defaults stand in one of them
    }
  }
  return out;
}

std::optional<Signature> merge(const std::optional<Signature>& a,
                               const std::optional<Signature>& b) {
  if (!a || !b || a->arity.most != b->arity.most || a->scope != b->scope) return std::nullopt;
  auto out = a;
  out->arity.least = std::min(a->arity.least, b->arity.least);
  out->exported = a->exported || b->exported;
  return out;
}

// The arity of a name over the whole repository after the change.
std::optional<Signature> signature_after(RuleContext& c, Texts& texts, const std::string& name,
                                         std::vector<std::string>& paths) {
  std::optional<Signature> out;
  indexer::Extractor extractor;
  std::set<std::string> seen;
  for (const auto& s : c.after->definitions(name, 50)) {
    if (!seen.insert(s.path).second) continue;
    if (seen.size() > 8) return std::nullopt;
    const auto& entry = texts.at(s.path);
    Side side;
    side.text = entry.text;
    auto facts = extractor.extract(entry.language, side.text);
    if (!facts) return std::nullopt;
    side.facts = std::move(*facts);
    const auto here = signature_in(s.path, side, entry.code, entry.language, name);
    if (!here) return std::nullopt;
    out = seen.size() == 1 ? here : merge(out, here);
    if (!out) return std::nullopt;
    paths.push_back(s.path);
  }
  return out;
}

std::string say(const Arity& a) {
  if (a.least == a.most) return std::to_string(a.most);
  return std::to_string(a.least) + " to " + std::to_string(a.most);
}

bool fits(const Arity& a, int count, Language l) {
  const bool lenient = l == Language::kJavaScript;  // what is not given is undefined
  return count <= a.most && (lenient || count >= a.least);
}

}  // namespace

void rule_changed_signatures(RuleContext& c) {
  Texts texts(*c.after);
  std::set<std::string> done;
  for (const auto& file : c.change.files) {
    if (!file.before || !file.after || !file.before->parsed) continue;
    if (!counts_arguments(file.language) || file.file_class != indexer::FileClass::kSource)
      continue;
    if (hides_definitions(file)) continue;
    const auto old_code = code_only(file.before->text, file.language);
    const auto new_code = code_only(file.after->text, file.language);
    const auto starts = line_starts(file.after->text);
    for (const auto& d : file.after->facts.definitions) {
      if (c.stop.stop_requested()) return;
      if (d.kind != SymbolKind::kFunction && d.kind != SymbolKind::kMethod) continue;
      const auto open = parameters_at(new_code, d);
      if (open >= new_code.size()) continue;
      const std::string name(file.after->slice(d.name));
      const auto last = static_cast<std::uint32_t>(
          std::upper_bound(starts.begin(), starts.end(), d.signature_end) - starts.begin() - 1);
      if (!file.touches(d.line, std::max(last, d.line)) || done.contains(name)) continue;
      const auto then =
          signature_in(file.diff.old_path, *file.before, old_code, file.language, name);
      const auto now = signature_in(file.path, *file.after, new_code, file.language, name);
      if (!then || !now || then->arity == now->arity || then->scope != now->scope) continue;
      std::vector<std::string> paths;
      const auto whole = signature_after(c, texts, name, paths);
      if (!whole || whole->scope != now->scope || whole->arity == then->arity) continue;
      done.insert(name);
      Subject subject{name, now->scope, d.kind, file.language, whole->exported, paths};
      auto uses = uses_of(texts, subject, 500, c.stop);
      std::vector<Use> stale;
      int given = 0;
      for (const auto& use : uses) {
        if (!use.call || use.in_import) continue;
        // A variable or parameter of that name hides the function.
        const auto found = c.after->resolve(use.path, use.span.begin);
        if (!found.empty() && (found.front().symbol.kind == SymbolKind::kVariable ||
                               found.front().symbol.name != name)) {
          continue;
        }
        const auto arguments = count_arguments(texts.at(use.path).code, use.open, file.language);
        if (!arguments || fits(whole->arity, arguments->count, file.language) ||
            !fits(then->arity, arguments->count, file.language)) {
          continue;
        }
        given = arguments->count;
        stale.push_back(use);
      }
      if (stale.empty()) continue;
      Finding f;
      f.rule = "changed-signature";
      f.severity = Severity::kError;
      f.path = file.path;
      f.range = whole_line(file.after->text, starts, d.line);
      f.anchor = name + " " + say(then->arity) + " " + say(whole->arity);
      f.message = name + " takes " + say(whole->arity) + " arguments now (" + say(then->arity) +
                  " before), but " + place(stale.front().path, stale.front().range.line) +
                  " gives " + std::to_string(given);
      if (stale.size() > 1) f.message += ", and " + std::to_string(stale.size() - 1) + " more";
      f.explanation = "Callers that still pass the old arguments break or change their meaning.";
      add_related(f, stale, "still calls " + name + " the old way");
      c.out.push_back(std::move(f));
    }
  }
}

}  // namespace ambit::daemon::review
