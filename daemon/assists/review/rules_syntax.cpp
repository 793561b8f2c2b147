// Rules over the syntax of one file: it no longer parses, or defines something twice.
#include <algorithm>
#include <map>
#include <set>

#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/lexical.h"

namespace ambit::daemon::review {
namespace {

using indexer::ByteSpan;
using indexer::Language;

// Grammars of these languages have no macros to stumble over: an error is an error.
bool exact_grammar(Language l) {
  switch (l) {
    case Language::kPython:
    case Language::kJavaScript:
    case Language::kGo:
    case Language::kJava:
    case Language::kJson:
    case Language::kToml:
      return true;
    default:
      return false;
  }
}

bool knows_brackets(Language l) {
  switch (l) {
    case Language::kC:
    case Language::kCpp:
    case Language::kCuda:
    case Language::kTypeScript:
    case Language::kTsx:
    case Language::kRust:
    case Language::kCSharp:
    case Language::kKotlin:
    case Language::kSwift:
    case Language::kScala:
      return true;
    default:
      return exact_grammar(l);
  }
}

bool overloads(Language l) {
  return l == Language::kCpp || l == Language::kCuda || l == Language::kJava ||
         l == Language::kCSharp || l == Language::kKotlin || l == Language::kScala ||
         l == Language::kSwift || l == Language::kTypeScript || l == Language::kTsx;
}

std::vector<ByteSpan> errors_of(const Side& side, Language language) {
  if (!indexer::has_outline(language)) return side.facts.errors;
  thread_local indexer::Extractor extractor;  // an outline leaves bodies out
  auto errors = extractor.grammar_errors(language, side.text);
  return errors ? std::move(*errors) : std::vector<ByteSpan>();
}

// An error whose text was none before; with `parsed_before` only where there was no other either.
std::optional<ByteSpan> first_new_error(const ChangedFile& file, bool parsed_before) {
  std::set<std::string_view> old;
  for (const auto& e : errors_of(*file.before, file.language)) old.insert(file.before->slice(e));
  if (parsed_before && !old.empty()) return std::nullopt;
  for (const auto& e : errors_of(*file.after, file.language)) {
    if (e.size() == 0 || !old.contains(file.after->slice(e))) return e;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Balance> brackets_lost(const ChangedFile& file) {
  if (!file.before || !file.after || !knows_brackets(file.language)) return std::nullopt;
  const auto of = [&](const Side& side) {
    return balance(code_only(side.text, file.language), file.language);
  };
  const auto now = of(*file.after);
  if (now.even() || !of(*file.before).even()) return std::nullopt;
  return now;
}

bool hides_definitions(const ChangedFile& file) {
  return !file.after->parsed || !file.after->facts.errors.empty() || brackets_lost(file);
}

void rule_parse_errors(const ChangedFile& file, std::vector<Finding>& out) {
  if (file.file_class != indexer::FileClass::kSource) return;
  // Jinja, patches and fixtures with the extension of a language come new and broken on purpose.
  if (!file.after->parsed || !file.before || !file.before->parsed) return;
  std::string what;
  const auto word = [&](int count, const char* open, const char* close) {
    if (count == 0) return;
    if (!what.empty()) what += ", ";
    what += count > 0 ? std::to_string(count) + " '" + open + "' without '" + close + "'"
                      : std::to_string(-count) + " '" + close + "' too many";
  };
  if (const auto now = brackets_lost(file)) {
    word(now->curly, "{", "}");
    word(now->round, "(", ")");
    word(now->square, "[", "]");
  }
  if (what.empty() && !exact_grammar(file.language)) return;
  const auto error = first_new_error(file, what.empty());
  if (!error) return;
  const auto& text = file.after->text;
  const auto starts = line_starts(text);
  const auto line_of = [&](std::uint32_t offset) {
    return static_cast<std::uint32_t>(std::upper_bound(starts.begin(), starts.end(), offset) -
                                      starts.begin() - 1);
  };
  // An error shows where the parser gave up, often after the change that made it: the finding goes
  // to a changed line inside the error, else to the last one before it.
  const auto first = line_of(error->begin);
  const auto last = line_of(error->end > error->begin ? error->end - 1 : error->begin);
  std::optional<std::uint32_t> line;
  for (const auto& lines : file.changed()) {
    if (lines.end > first && lines.begin <= last) {
      line = std::max(lines.begin, first);
      break;
    }
    if (lines.end <= first) line = lines.end - 1;
  }
  if (!line) line = std::min(first, static_cast<std::uint32_t>(starts.size()) - 1);
  Finding f;
  f.rule = "parse-error";
  f.severity = Severity::kError;
  f.path = file.path;
  f.range = whole_line(text, starts, *line);
  f.message = "the file parsed before this change and no longer does";
  if (!what.empty()) f.message += ": " + what;
  f.explanation = "The parser stops at line " + std::to_string(first + 1) + ".";
  f.anchor = "parse " + what;
  out.push_back(std::move(f));
}

void rule_duplicate_definitions(const ChangedFile& file, std::vector<Finding>& out) {
  if (!file.after->parsed || !file.before || !file.before->parsed) return;
  if (file.file_class != indexer::FileClass::kSource || overloads(file.language)) return;
  // JavaScript defines functions in branches, where the grammar gives them one scope.
  if (file.language != Language::kPython && file.language != Language::kGo &&
      file.language != Language::kC) {
    return;
  }
  using indexer::SymbolKind;
  const auto& after = *file.after;
  const auto key_of = [&](const Side& side, const indexer::Definition& d) {
    return std::to_string(d.parent) + "/" + d.owner + "/" + std::string(side.slice(d.name));
  };
  const auto counts = [](SymbolKind k) {
    return k == SymbolKind::kFunction || k == SymbolKind::kMethod;
  };
  const auto has_conditions = [&] {
    return file.language == Language::kC && after.text.find("\n#if") != std::string::npos;
  };
  if (has_conditions()) return;
  std::map<std::string, const indexer::Definition*> first;
  std::map<std::string, int> before;
  for (const auto& d : file.before->facts.definitions) {
    if (counts(d.kind)) ++before[std::string(file.before->slice(d.name)) + d.owner];
  }
  const auto starts = line_starts(after.text);
  for (const auto& d : after.facts.definitions) {
    if (!counts(d.kind) || d.declaration_only) continue;
    const auto name = std::string(after.slice(d.name));
    if (name == "_" || name == "init" || name == "main") continue;
    const auto [it, fresh] = first.try_emplace(key_of(after, d), &d);
    if (fresh) continue;
    const auto& other = *it->second;
    if (before[name + d.owner] > 1) continue;  // it was so before
    // Under a condition, a decorator (@overload, @property.setter) or inside a block it is common.
    const auto line = line_text(after.text, starts, d.line);
    const auto other_line = line_text(after.text, starts, other.line);
    const auto indent = line.find_first_not_of(" \t");
    if (indent != other_line.find_first_not_of(" \t")) continue;
    if (file.language == Language::kPython) {
      const auto decorated = [&](const indexer::Definition& x) {
        return after.text.compare(x.span.begin, 1, "@") == 0 ||
               (x.line > 0 &&
                line_text(after.text, starts, x.line - 1).find('@') != std::string_view::npos);
      };
      if (decorated(d) || decorated(other)) continue;
      const auto expected = d.parent < 0 ? 0U : 4U;
      if (indent != expected) continue;
    }
    const bool this_one = file.line_added(d.line);
    if (!this_one && !file.line_added(other.line)) continue;
    const auto& shown = this_one ? d : other;
    const auto& there = this_one ? other : d;
    Finding f;
    f.rule = "duplicate-definition";
    f.path = file.path;
    f.range = whole_line(after.text, starts, shown.line);
    f.message = name + " is now defined twice in one scope: lines " +
                std::to_string(other.line + 1) + " and " + std::to_string(d.line + 1);
    f.explanation = "A merge often does this; the later definition wins, or it does not compile.";
    f.related.push_back({file.path, whole_line(after.text, starts, there.line), "the other one"});
    out.push_back(std::move(f));
  }
}

}  // namespace ambit::daemon::review
