// Rules over the added lines of one file: conflict markers, secrets, debugging statements, switched
// tests, files that tools left behind.
#include <algorithm>
#include <array>

#include "daemon/assists/path_words.h"
#include "daemon/assists/review/facts.h"
#include "daemon/assists/review/lexical.h"
#include "indexer/secrets.h"

namespace ambit::daemon::review {
namespace {

using indexer::Language;

template <class F>
void each_added_line(const ChangedFile& file, std::string_view text, const F& f) {
  const auto starts = line_starts(text);
  for (const auto& lines : file.added) {
    for (auto line = lines.begin; line < lines.end && line < starts.size(); ++line) {
      f(line, line_text(text, starts, line), starts);
    }
  }
}

Fix remove_lines(const std::string& path, std::uint32_t first, std::uint32_t last,
                 std::string title) {
  return {std::move(title), {{path, {first, 0, last + 1, 0}, ""}}};
}

Finding at_line(const ChangedFile& file, std::string rule, Severity severity, std::uint32_t line,
                std::string_view text, const std::vector<std::uint32_t>& starts,
                std::string message) {
  Finding f;
  f.rule = std::move(rule);
  f.severity = severity;
  f.path = file.path;
  f.range = whole_line(text, starts, line);
  f.message = std::move(message);
  return f;
}

bool marker(std::string_view line, std::string_view mark) {
  return line.starts_with(mark) && (line.size() == mark.size() || line[mark.size()] == ' ');
}

// A word followed by "(", as a whole word that is not a member of something else.
std::size_t find_call(std::string_view line, std::string_view name, bool member_too = false) {
  for (std::size_t at = 0; (at = line.find(name, at)) != std::string_view::npos; ++at) {
    if (at > 0 && (is_word(line[at - 1]) || (!member_too && line[at - 1] == '.'))) continue;
    auto end = at + name.size();
    while (end < line.size() && line[end] == ' ') ++end;
    if (end < line.size() && line[end] == '(') return at;
  }
  return std::string_view::npos;
}

// Statements that stop in a debugger: never meant to be committed.
std::string_view debugger_call(Language language, std::string_view code) {
  const auto has = [&](std::string_view name, bool member = false) {
    return find_call(code, name, member) != std::string_view::npos;
  };
  auto bare = code;
  while (!bare.empty() && (bare.front() == ' ' || bare.front() == '\t')) bare.remove_prefix(1);
  while (!bare.empty() && (bare.back() == ' ' || bare.back() == ';')) bare.remove_suffix(1);
  switch (language) {
    case Language::kPython:
      if (has("breakpoint")) return "breakpoint()";
      for (const std::string_view name : {"pdb.set_trace", "ipdb.set_trace", "pudb.set_trace"}) {
        if (has(name)) return name;
      }
      return {};
    case Language::kJavaScript:
    case Language::kTypeScript:
    case Language::kTsx:
      return bare == "debugger" ? "debugger" : std::string_view{};
    case Language::kRuby:
      if (bare == "binding.pry" || bare == "binding.irb") return "binding.pry";
      return bare == "byebug" || bare == "debugger" ? "byebug" : std::string_view{};
    case Language::kRust:
      return code.find("dbg!(") != std::string_view::npos ? "dbg!" : std::string_view{};
    case Language::kPhp:
      return has("var_dump") ? "var_dump" : has("dd") ? "dd" : std::string_view{};
    case Language::kElixir:
      return has("IEx.pry") ? "IEx.pry" : std::string_view{};
    case Language::kC:
    case Language::kCpp:
      return has("__debugbreak") || has("__builtin_debugtrap") ? "a breakpoint"
                                                               : std::string_view{};
    default:
      return {};
  }
}

// Output statements; only a text that says itself that it is for debugging counts.
bool prints(Language language, std::string_view code) {
  const auto has = [&](std::string_view name) {
    return find_call(code, name, true) != std::string_view::npos;
  };
  switch (language) {
    case Language::kPython:
      return has("print");
    case Language::kJavaScript:
    case Language::kTypeScript:
    case Language::kTsx:
      return code.find("console.log") != std::string_view::npos;
    case Language::kC:
      return has("printf") || has("fprintf") || has("puts");
    case Language::kCpp:
    case Language::kCuda:
      return has("printf") || has("fprintf") || has("puts") ||
             code.find("cout <<") != std::string_view::npos ||
             code.find("cerr <<") != std::string_view::npos;
    case Language::kGo:
      return has("fmt.Println") || has("fmt.Printf") || has("println");
    case Language::kJava:
      return has("System.out.println") || has("System.err.println");
    case Language::kRust:
      return code.find("println!") != std::string_view::npos;
    default:
      return false;
  }
}

// What stands after a quote when somebody prints to find a mistake.
bool begins_like_debugging(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t\r\f\v"), text.size()));
  const auto take = [&](std::string_view piece) {
    const bool there = text.starts_with(piece);
    if (there) text.remove_prefix(piece.size());
    return there;
  };
  const auto skip = [&](std::string_view any_of) {
    text.remove_prefix(std::min(text.find_first_not_of(any_of), text.size()));
  };
  for (const std::string_view word : {"HERE", "got here", "reached here", "asdf", "xxx",
                                      "X"
                                      "XX",
                                      "!!!"}) {
    if (text.starts_with(word)) return true;
  }
  if (take("DEBUG")) {
    take("GING");
    return !text.empty() && std::string_view(" :!>\"'\\").find(text.front()) != text.npos;
  }
  if (take("here") || take("Here")) {
    skip(" !.0123456789");
    take("\\n");
    return text.starts_with('"') || text.starts_with('\'');
  }
  if (take("***")) {
    take(" ");
    return text.starts_with("DEBUG");
  }
  if (take("---")) {  // an arrow
    skip("-");
    if (!take(">")) return false;
    take(" ");
    return text.starts_with("here") || text.starts_with("debug");
  }
  if (take("====")) {
    skip("=");
    take(" ");
    return text.starts_with("DEBUG");
  }
  return false;
}

bool says_debug(std::string_view line) {
  constexpr std::string_view kQuotes = "\"'`";
  for (auto at = line.find_first_of(kQuotes); at != line.npos;
       at = line.find_first_of(kQuotes, at + 1)) {
    if (begins_like_debugging(line.substr(at + 1))) return true;
  }
  return false;
}

// file.orig, file.rej, file~, file.swp; file.LOCAL.123 and file.LOCAL.123.ext of git's merge tools.
bool is_leftover(std::string_view path) {
  for (const std::string_view ending : {".orig", ".rej", "~", ".swo", ".swp"}) {
    if (path.ends_with(ending)) return true;
  }
  const auto take_back = [&](auto belongs) {  // ".WORD", nothing where it does not end so
    auto begin = path.size();
    while (begin > 0 && belongs(path[begin - 1])) --begin;
    if (begin == path.size() || begin == 0 || path[begin - 1] != '.') return false;
    path = path.substr(0, begin - 1);
    return true;
  };
  take_back([](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); });
  if (!take_back([](char c) { return c >= '0' && c <= '9'; })) return false;
  for (const std::string_view side : {".BACKUP", ".BASE", ".LOCAL", ".REMOTE"}) {
    if (path.ends_with(side)) return true;
  }
  return false;
}

}  // namespace

void rule_conflict_markers(const ChangedFile& file, std::vector<Finding>& out) {
  const auto& text = file.after->text;
  if (text.find("<<<<<<<") == std::string::npos && text.find(">>>>>>>") == std::string::npos)
    return;
  const auto starts = line_starts(text);
  // One finding for a whole group, from its first marker to its last.
  constexpr auto kNone = ~std::uint32_t{0};
  std::uint32_t open = kNone;
  bool divided = false, added = false;
  for (std::uint32_t line = 0; line < starts.size(); ++line) {
    const auto here = line_text(text, starts, line);
    if (marker(here, "<<<<<<<")) {
      open = line;
      divided = false;
      added = file.line_added(line);
    } else if (open != kNone && (here == "=======" || marker(here, "|||||||"))) {
      divided = divided || here == "=======";
      added = added || file.line_added(line);
    } else if (open != kNone && divided && marker(here, ">>>>>>>")) {
      if (added || file.line_added(line)) {
        auto f = at_line(file, "conflict-marker", Severity::kError, open, text, starts,
                         "a merge conflict is committed with its markers (lines " +
                             std::to_string(open + 1) + " to " + std::to_string(line + 1) + ")");
        f.explanation =
            "Keep one side, or both, and remove the <<<<<<<, ======= and >>>>>>> lines.";
        f.range.end_line = line;
        f.range.end_column = static_cast<std::uint32_t>(here.size());
        out.push_back(std::move(f));
      }
      open = kNone;
    } else if (open == kNone && file.line_added(line) && here.starts_with(">>>>>>> ") &&
               here.size() > 8 && is_word(here[8]) && file.language != Language::kPython &&
               file.language != Language::kMarkdown && file.language != Language::kNone) {
      out.push_back(at_line(file, "conflict-marker", Severity::kError, line, text, starts,
                            "the end of a merge conflict was left behind"));
      out.back().fix = remove_lines(file.path, line, line, "remove the marker");
    }
  }
}

void rule_secrets(const ChangedFile& file, std::vector<Finding>& out) {
  using indexer::FileClass;
  if (file.file_class == FileClass::kLockFile || file.file_class == FileClass::kMinified) return;
  const auto& text = file.after->text;
  if (file.diff.change == indexer::Change::kAdded && indexer::is_secret_path(file.path) &&
      text.size() > 1 &&
      // Settings of npm are a secret only with a login in them.
      (!file.path.ends_with(".npmrc") || text.find("_auth") != std::string::npos ||
       text.find("_password") != std::string::npos)) {
    Finding f;
    f.rule = "secret-file";
    f.severity = Severity::kError;
    f.path = file.path;
    f.message = "a file that holds credentials by its name is added";
    f.explanation = "Take it out with `git rm --cached` and list it in .gitignore.";
    f.anchor = file.path;
    out.push_back(std::move(f));
  }
  const auto starts = line_starts(text);
  for (const auto& secret : indexer::find_secrets(text)) {
    const auto line = static_cast<std::uint32_t>(
        std::upper_bound(starts.begin(), starts.end(), secret.span.begin) - starts.begin() - 1);
    const auto last = static_cast<std::uint32_t>(
        std::upper_bound(starts.begin(), starts.end(), std::max(secret.span.end, 1U) - 1) -
        starts.begin() - 1);
    if (!file.touches(line, last)) continue;
    auto f = at_line(file, "secret", Severity::kError, line, text, starts,
                     "a credential (" + std::string(secret.kind) + ") is about to be committed");
    f.explanation =
        "Read it from the environment or a secret store. Once pushed it must be revoked: history "
        "keeps it.";
    f.range = {line, secret.span.begin - starts[line], last, secret.span.end - starts[last]};
    f.anchor = indexer::secret_placeholder(secret, text);
    out.push_back(std::move(f));
  }
}

void rule_debug_leftovers(const ChangedFile& file, std::vector<Finding>& out) {
  if (file.language == Language::kNone) return;
  const auto code = code_only(file.after->text, file.language);
  each_added_line(
      file, file.after->text, [&](std::uint32_t line, std::string_view raw, const auto& starts) {
        const auto bare = line_text(code, starts, line);
        const auto call = debugger_call(file.language, bare);
        if (call.empty() && !(prints(file.language, bare) && says_debug(raw))) return;
        auto f = at_line(file, "debug-leftover", Severity::kWarning, line, file.after->text, starts,
                         call.empty() ? "a debugging print is left in the code"
                                      : std::string(call) + " is left in the code");
        // Only a line that is a statement of its own can go without harm.
        const auto trimmed = normalise_code(bare);
        const auto balanced = balance(trimmed, file.language).even();
        if (balanced &&
            (trimmed.ends_with(';') || trimmed.ends_with(')') || trimmed == "debugger") &&
            trimmed.find('{') == std::string::npos) {
          f.fix = remove_lines(file.path, line, line, "remove the line");
        }
        out.push_back(std::move(f));
      });
}

void rule_tests_switched(const ChangedFile& file, std::vector<Finding>& out) {
  if (file.language == Language::kNone || !is_test_path(file.path)) return;
  const auto code = code_only(file.after->text, file.language);
  each_added_line(
      file, file.after->text, [&](std::uint32_t line, std::string_view, const auto& starts) {
        const auto bare = line_text(code, starts, line);
        std::string_view focused, skipped;
        if (script_family(file.language)) {
          for (const std::string_view name :
               {"it.only", "describe.only", "test.only", "fdescribe", "fit"}) {
            if (find_call(bare, name) != std::string_view::npos) focused = name;
          }
          for (const std::string_view name :
               {"it.skip", "describe.skip", "test.skip", "xit", "xdescribe"}) {
            if (find_call(bare, name) != std::string_view::npos) skipped = name;
          }
        } else if (file.language == Language::kPython) {
          if (bare.find("@pytest.mark.skip") != std::string_view::npos &&
              bare.find("skipif") == std::string_view::npos) {
            skipped = "@pytest.mark.skip";
          }
          if (bare.find("@unittest.skip") != std::string_view::npos &&
              bare.find("skipIf") == std::string_view::npos &&
              bare.find("skipUnless") == std::string_view::npos) {
            skipped = "@unittest.skip";
          }
        } else if (file.language == Language::kRust) {
          if (bare.find("#[ignore") != std::string_view::npos) skipped = "#[ignore]";
        } else if (file.language == Language::kJava || file.language == Language::kKotlin) {
          for (const std::string_view name : {"@Disabled", "@Ignore"}) {
            const auto at = bare.find(name);
            if (at != std::string_view::npos &&
                (at + name.size() >= bare.size() || !is_word(bare[at + name.size()]))) {
              skipped = name;
            }
          }
        } else if (file.language == Language::kCpp) {
          if (bare.find("DISABLED_") != std::string_view::npos &&
              (find_call(bare, "TEST") != std::string_view::npos ||
               find_call(bare, "TEST_F") != std::string_view::npos)) {
            skipped = "DISABLED_";
          }
        }
        if (!focused.empty()) {
          auto f = at_line(file, "focused-test", Severity::kError, line, file.after->text, starts,
                           std::string(focused) + " keeps all other tests from running");
          if (const auto dot = focused.find(".only"); dot != std::string_view::npos) {
            const auto at = static_cast<std::uint32_t>(bare.find(focused) + dot);
            f.fix = Fix{"run all tests again", {{file.path, {line, at, line, at + 5}, ""}}};
          }
          out.push_back(std::move(f));
        } else if (!skipped.empty()) {
          out.push_back(at_line(file, "skipped-test", Severity::kInfo, line, file.after->text,
                                starts, "a test was switched off with " + std::string(skipped)));
        }
      });
}

void rule_merge_leftovers(const ChangedFile& file, std::vector<Finding>& out) {
  if (file.diff.change != indexer::Change::kAdded) return;
  if (!is_leftover(file.path)) return;
  Finding f;
  f.rule = "merge-leftover";
  f.path = file.path;
  f.message = "a file that a merge, a patch or an editor left behind is added";
  f.explanation = "Take it out with `git rm --cached` and list its pattern in .gitignore.";
  f.anchor = file.path;
  out.push_back(std::move(f));
}

}  // namespace ambit::daemon::review
