#include <algorithm>

#include "daemon/assists/ask.h"
#include "daemon/assists/refactor/edit_format.h"
#include "daemon/assists/refactor/edit_grammar.h"
#include "daemon/assists/rewrite/rewrite.h"
#include "indexer/secrets.h"
#include "indexer/syntax/extract.h"

namespace ambit::daemon {

using indexer::Language;

namespace {

constexpr std::size_t kMaxTestShown = std::size_t{24} << 10;

struct Name {
  std::string_view folder, stem, extension;  // "a/b/", "c", ".py"
};

Name split(std::string_view path) {
  Name out;
  const auto slash = path.rfind('/');
  if (slash != std::string_view::npos) {
    out.folder = path.substr(0, slash + 1);
    path.remove_prefix(slash + 1);
  }
  const auto dot = path.rfind('.');
  out.stem = path.substr(0, dot);
  if (dot != std::string_view::npos) out.extension = path.substr(dot);
  return out;
}

// What the usual runners take for a test: test_x.py, x_test.go, x.test.ts, XTest.java.
bool is_test(std::string_view path) {
  const auto n = split(path);
  return n.stem.starts_with("test_") || n.stem.ends_with("_test") || n.stem.ends_with(".test") ||
         n.stem.ends_with(".spec") || n.stem.ends_with("Test") || n.stem.ends_with("_tests") ||
         n.stem.ends_with("Tests");
}

bool tests_stem(std::string_view test, std::string_view stem) {
  const auto n = split(test).stem;
  const auto at = n.find(stem);
  return at != std::string_view::npos && n.size() <= stem.size() + 6;
}

}  // namespace

Result<std::string> test_file_for(const indexer::Snapshot& snapshot, const std::string& path,
                                  const std::string& symbol) {
  if (is_test(path)) return path;
  const auto own = split(path);
  const auto language = indexer::language_of(path);
  std::string by_name;
  bool tests_folder = false;
  for (const auto& f : snapshot.files()) {
    tests_folder = tests_folder || f.path.starts_with("tests/");
    if (f.skipped.empty() && is_test(f.path) && tests_stem(f.path, own.stem) &&
        split(f.path).extension == own.extension && by_name.empty()) {
      by_name = f.path;
    }
  }
  if (!by_name.empty()) return by_name;
  for (const auto& r : snapshot.references(symbol, 500)) {
    if (is_test(r.path) && split(r.path).extension == own.extension &&
        may_be_asked_about(snapshot, r.path)) {
      return r.path;
    }
  }
  const std::string folder(own.folder), stem(own.stem), extension(own.extension);
  switch (language) {
    case Language::kPython:
      return (tests_folder ? "tests/" : folder) + "test_" + stem + extension;
    case Language::kGo:
      return folder + stem + "_test.go";
    case Language::kJavaScript:
    case Language::kTypeScript:
    case Language::kTsx:
      return folder + stem + ".test" + extension;
    default:
      return make_error(Code::kUnsupported,
                        "no test file uses " + symbol +
                            ", and this language's tools do not say "
                            "where a new one belongs: ask with `ambit refactor plan`");
  }
}

Result<FileChange> test_by_model(const AssistContext& context, const RewriteRequest& request) {
  AMBIT_CHECK_OK(can_judge(context.scheduler->backend()->describe(), "tests"));
  const auto& snapshot = *context.snapshot;
  if (!may_be_asked_about(snapshot, request.path)) {
    return make_error(Code::kUnsupported, request.path + " is kept out of prompts");
  }
  std::string symbol;
  indexer::Extractor extractor;
  const auto facts = extractor.extract(indexer::language_of(request.path), request.text);
  for (const auto& d : facts ? facts->definitions : std::vector<indexer::Definition>()) {
    if (request.span.begin <= d.name.begin && d.name.end <= request.span.end) {
      symbol = request.text.substr(d.name.begin, d.name.size());
      break;
    }
  }
  if (symbol.empty()) {
    return make_error(Code::kInvalidArgument, "put the caret into a function or a class first");
  }
  AMBIT_TRY(target, test_file_for(snapshot, request.path, symbol));
  FileChange out;
  out.path = target;
  if (snapshot.file(target)) {
    AMBIT_TRY(before, snapshot.text(target));
    if (!may_be_asked_about(snapshot, target)) {
      return make_error(Code::kUnsupported, target + " is kept out of prompts");
    }
    out.before = std::move(before);
  }
  const auto code = std::string_view(request.text).substr(request.span.begin, request.span.size());
  Question question;
  question.text = "file: " + request.path + "\n" + indexer::redact_secrets(code) + "\n\n";
  if (out.before) {
    auto shown = std::string_view(*out.before);
    if (shown.size() > kMaxTestShown) shown = shown.substr(0, shown.find('\n', kMaxTestShown) + 1);
    question.text += "The test file " + target + " as it is:\n" + indexer::redact_secrets(shown) +
                     "\nWrite one more test, of " + symbol +
                     ", that belongs at the end of that file; repeat nothing that stands there. ";
  } else {
    question.text += "Write the new test file " + target + " with tests of " + symbol + ". ";
  }
  question.text += replacement_format();
  question.grammar = replacement_grammar();
  question.path = request.path;
  question.cursor = request.span.begin;
  AMBIT_TRY(answer, ask_model(context, question));
  const auto lines = read_replacement(answer.text);
  if (!lines || lines->find_first_not_of(" \n") == std::string::npos ||
      lines->find('\0') != std::string::npos) {
    return make_error(Code::kInvalidArgument,
                      "the model's answer cannot be used: it is not in the format that was asked "
                      "for");
  }
  const auto end = line_end_of(out.before ? *out.before : "");
  std::string after = out.before.value_or("");
  if (!after.empty() && !after.ends_with('\n')) after += end;
  if (!after.empty()) after += end;
  out.after = after + with_line_ends(*lines, end);
  if (auto parses = check_syntax(out); !parses) {
    return make_error(Code::kInvalidArgument,
                      "the model's answer cannot be used: " + parses.error().message);
  }
  return out;
}

}  // namespace ambit::daemon
