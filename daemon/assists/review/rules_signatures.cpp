// A signature that callers do not know yet.
#include <algorithm>
#include <set>

#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/homonyms.h"
#include "daemon/assists/review/lexical.h"
#include "daemon/assists/review/python_call.h"

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

// What callers must know of a function.
struct Signature {
  Arity arity;
  std::optional<PythonParameters> python;  // in place of the arity
  std::string scope;
  bool exported = true;
  // Whether a call that fits one fits the other.
  [[nodiscard]] bool calls_like(const Signature& other) const {
    return python ? python == other.python : arity == other.arity;
  }
};

std::optional<Signature> merge(const std::optional<Signature>& a,
                               const std::optional<Signature>& b) {
  if (!a || !b || a->scope != b->scope) return std::nullopt;
  if (a->python ? !a->calls_like(*b) : a->arity.most != b->arity.most) return std::nullopt;
  auto out = a;  // defaults stand in one of them
  out->arity.least = std::min(a->arity.least, b->arity.least);
  out->exported = a->exported || b->exported;
  return out;
}

// All definitions and declarations of one name in one text, as one; nullopt when they differ
// (overloads), or when it cannot be told. Views into `code`.
std::optional<Signature> signature_in(std::string_view path, const Side& side,
                                      std::string_view code, Language language,
                                      std::string_view name) {
  std::optional<Signature> out;
  const auto& all = side.facts.definitions;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& d = all[i];
    if (side.slice(d.name) != name) continue;
    if (d.kind != SymbolKind::kFunction && d.kind != SymbolKind::kMethod) return std::nullopt;
    const auto open = parameters_at(code, d);
    std::optional<Signature> one;
    if (language == Language::kPython) {
      if (side.text.compare(d.span.begin, 1, "@") == 0) return std::nullopt;
      if (auto p = python_parameters(code, open)) one = Signature{{}, std::move(*p), "", true};
    } else if (const auto arity = count_parameters(code, open, language)) {
      one = Signature{*arity, std::nullopt, "", true};
    }
    if (!one) return std::nullopt;
    one->scope = indexer::make_symbol(path, side.text, language, all, i).scope;
    one->exported = d.exported;
    out = out ? merge(out, one) : one;
    if (!out) return std::nullopt;
  }
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

std::string say(const Signature& s) {
  if (s.python) return in_words(*s.python);
  const auto& a = s.arity;
  const auto most = std::to_string(a.most);
  return a.least == a.most ? most : std::to_string(a.least) + " to " + most;
}

// What is wrong with a call that was right before; "" when nothing is for sure.
std::string went_stale(const Signature& then, const Signature& now, std::string_view code,
                       std::size_t open, Language language) {
  if (now.python) {
    const auto given = python_arguments(code, open);
    return given && then.python && misfit(*then.python, *given).empty()
               ? misfit(*now.python, *given)
               : "";
  }
  const auto given = count_arguments(code, open, language);
  const auto fits = [&](const Arity& a) {
    const bool lenient = language == Language::kJavaScript;  // what is not given is undefined
    return given->count <= a.most && (lenient || given->count >= a.least);
  };
  return given && fits(then.arity) && !fits(now.arity) ? "gives " + std::to_string(given->count)
                                                       : "";
}

// The calls of the function of `file`, and what all definitions that they may mean have in common;
// nothing when that cannot be told.
struct Calls {
  Signature now;
  std::vector<Use> uses;
};
std::optional<Calls> calls_of(RuleContext& c, Texts& texts, const ChangedFile& file,
                              const Definition& d, const std::string& name, const Signature& now) {
  std::vector<std::string> paths;
  if (const auto whole = signature_after(c, texts, name, paths);
      whole && whole->scope == now.scope) {
    const Subject subject{name, now.scope, d.kind, file.language, whole->exported, paths};
    auto uses = uses_of(texts, subject, 500, c.stop);
    std::erase_if(uses, [&](const Use& use) {
      // A variable or parameter of that name hides the function.
      const auto found = c.after->resolve(use.path, use.span.begin);
      return !found.empty() && (found.front().symbol.kind == SymbolKind::kVariable ||
                                found.front().symbol.name != name);
    });
    return Calls{*whole, std::move(uses)};
  }
  auto others = c.after->definitions(name, 200);
  std::erase_if(others, [&](const auto& s) { return s.path == file.path; });
  if (others.empty() || others.size() >= 199) return std::nullopt;
  const auto& all = file.after->facts.definitions;
  const auto symbol = indexer::make_symbol(file.path, file.after->text, file.language, all,
                                           static_cast<std::size_t>(&d - all.data()));
  return Calls{now, uses_of_this_one(c, texts, file, symbol, others)};
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
      if (!then || !now || then->calls_like(*now) || then->scope != now->scope) continue;
      const auto calls = calls_of(c, texts, file, d, name, *now);
      if (!calls || calls->now.calls_like(*then)) continue;
      done.insert(name);
      std::vector<Use> stale;
      std::string problem;
      for (const auto& use : calls->uses) {
        if (!use.call || use.in_import) continue;
        auto wrong =
            went_stale(*then, calls->now, texts.at(use.path).code, use.open, file.language);
        if (wrong.empty()) continue;
        if (problem.empty()) problem = std::move(wrong);
        stale.push_back(use);
      }
      if (stale.empty()) continue;
      Finding f;
      f.rule = "changed-signature";
      f.severity = Severity::kError;
      f.path = file.path;
      f.range = whole_line(file.after->text, starts, d.line);
      f.anchor = name + " " + say(*then) + " " + say(calls->now);
      f.message = name + " takes " + say(calls->now) + (now->python ? "" : " arguments") +
                  " now (" + say(*then) + " before), but " +
                  place(stale.front().path, stale.front().range.line) + " " + problem;
      if (stale.size() > 1) f.message += ", and " + std::to_string(stale.size() - 1) + " more";
      f.explanation = "Callers that still pass the old arguments break or change their meaning.";
      add_related(f, stale, "still calls " + name + " the old way");
      c.out.push_back(std::move(f));
    }
  }
}

}  // namespace ambit::daemon::review
