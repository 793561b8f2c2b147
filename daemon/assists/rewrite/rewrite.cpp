#include "daemon/assists/rewrite/rewrite.h"

#include <algorithm>
#include <vector>

#include "daemon/assists/ask.h"
#include "daemon/assists/refactor/edit_format.h"
#include "daemon/assists/refactor/edit_grammar.h"
#include "indexer/secrets.h"
#include "indexer/syntax/extract.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

using indexer::ByteSpan;
using indexer::Language;
using indexer::SyntaxTree;

namespace {

constexpr std::size_t kMaxSpan = std::size_t{48} << 10;
constexpr std::size_t kMaxAround = std::size_t{24} << 10;  // of the file, on each side
constexpr std::size_t kMaxExplanation = std::size_t{64} << 10;

Error unusable(std::string why) {
  return make_error(Code::kInvalidArgument, "the model's answer cannot be used: " + std::move(why));
}

std::size_t line_begin(std::string_view text, std::size_t at) {
  while (at > 0 && text[at - 1] != '\n') --at;
  return at;
}

// The file with the lines in question between marks, as far as it is sent.
Result<std::string> marked(const AssistContext& context, const RewriteRequest& request) {
  if (!may_be_asked_about(*context.snapshot, request.path)) {
    return make_error(Code::kUnsupported,
                      request.path + " is kept out of prompts (ambit ignore check says why)");
  }
  const std::string_view text = request.text;
  if (request.span.size() > kMaxSpan) {
    return make_error(Code::kResourceExhausted, "select less: at most 48 KiB at once");
  }
  const auto piece = text.substr(request.span.begin, request.span.size());
  if (indexer::redact_secrets(piece) != piece) {
    return make_error(Code::kUnsupported,
                      "the selection holds what looks like a credential, which is never sent");
  }
  const auto begin =
      request.span.begin > kMaxAround ? line_begin(text, request.span.begin - kMaxAround) : 0;
  const auto end = std::min(text.size(), request.span.end + kMaxAround);
  return "file: " + request.path + "\n" +
         indexer::redact_secrets(text.substr(begin, request.span.begin - begin)) + "@@ marked\n" +
         std::string(piece) + (piece.ends_with('\n') ? "" : "\n") + "@@ end of the marked lines\n" +
         indexer::redact_secrets(text.substr(request.span.end, end - request.span.end)) + "\n\n";
}

std::string task_of(const RewriteRequest& request) {
  switch (request.kind) {
    case RewriteRequest::kRewrite:
      return "Rewrite the marked lines: " + printable_line(request.instruction, 4000) +
             "\nKeep everything else as it is. ";
    case RewriteRequest::kDocument:
      return "Document the marked code with the comments that this language and this file use: "
             "what "
             "it does, what callers must know, never what the code says itself. Repeat the code "
             "word for word; add or correct comments only. ";
    case RewriteRequest::kFix:
      return "The marked lines have this problem: " + printable_line(request.instruction, 4000) +
             "\nCorrect it with as little change as possible. ";
  }
  return {};
}

// The tree without comments, as words: leaves by their text, the rest by type and brackets, because
// in Python blanks alone can move a statement.
std::vector<std::string> code_words(Language language, std::string_view text) {
  std::vector<std::string> out;
  const auto tree = SyntaxTree::parse(language, text);
  if (!tree) return {"no tree"};
  const auto& nodes = tree->nodes();
  std::vector<std::uint32_t> open;
  for (std::uint32_t i = 0; i < nodes.size();) {
    for (; !open.empty() && open.back() <= i; open.pop_back()) out.emplace_back(")");
    const auto& n = nodes[i];
    const bool comment = n.type.find("comment") != std::string_view::npos;
    const bool doc = language == Language::kPython && n.type == "expression_statement" &&
                     i + 1 < n.after && nodes[i + 1].type == "string" &&
                     nodes[i + 1].after == n.after;
    const bool whole = n.type == "string" || n.type == "template_string";
    if (comment || doc) {
      i = n.after;
    } else if (whole || n.after == i + 1) {
      const auto word = text.substr(n.span.begin, n.span.size());
      // Line ends are tokens of some grammars.
      if (word.find_first_not_of(" \t\r\n") != std::string_view::npos) out.emplace_back(word);
      i = n.after;
    } else {
      out.push_back("(" + std::string(n.type));
      open.push_back(n.after);
      ++i;
    }
  }
  return out;
}

}  // namespace

bool same_code(Language language, std::string_view a, std::string_view b) {
  return code_words(language, a) == code_words(language, b);
}

ByteSpan lines_of(const std::string& path, std::string_view text, ByteSpan span) {
  if (span.size() == 0) {
    // Parsed here, not asked of the index: that may not have read the document yet.
    indexer::Extractor extractor;
    const auto facts =
        extractor.extract(indexer::language_of(path, text.substr(0, std::size_t{1} << 16)), text);
    std::optional<ByteSpan> best;
    for (const auto& d : facts ? facts->definitions : std::vector<indexer::Definition>()) {
      if (d.span.begin <= span.begin && span.end <= d.span.end &&
          (!best || d.span.size() < best->size())) {
        best = d.span;
      }
    }
    if (best) span = *best;
  } else if (text.substr(span.begin, span.size()).ends_with('\n')) {
    --span.end;  // a selection that ends at the start of a line does not mean that line
  }
  span.begin = static_cast<std::uint32_t>(line_begin(text, span.begin));
  const auto end = text.find('\n', span.end);
  span.end = static_cast<std::uint32_t>(end == std::string_view::npos ? text.size() : end + 1);
  return span;
}

Result<TextEdit> rewrite_by_model(const AssistContext& context, const RewriteRequest& request) {
  AMBIT_CHECK_OK(can_judge(context.scheduler->backend()->describe(), "rewrites"));
  const std::string_view text = request.text;
  const auto language = indexer::language_of(request.path, text.substr(0, std::size_t{1} << 16));
  const bool document = request.kind == RewriteRequest::kDocument;
  if (document && !SyntaxTree::parse(language, "")) {
    return make_error(Code::kUnsupported,
                      "there is no grammar for this file, so nothing could show that only comments "
                      "change");
  }
  AMBIT_TRY(shown, marked(context, request));
  const auto old_text = std::string(text.substr(request.span.begin, request.span.size()));
  Question question;
  question.text = shown + task_of(request) + std::string(replacement_format());
  question.grammar = replacement_grammar();
  question.path = request.path;
  question.cursor = request.span.begin;
  question.draft = old_text;
  AMBIT_TRY(answer, ask_model(context, question));
  auto lines = read_replacement(answer.text);
  if (!lines) return unusable("it is not in the format that was asked for");
  if (lines->size() > 4 * old_text.size() + 4096 || lines->find('\0') != std::string::npos) {
    return unusable("it is much longer than what it replaces");
  }
  const auto end = line_end_of(text);
  TextEdit out{request.span, with_line_ends(*lines, end), 0};
  if (!old_text.ends_with('\n') && out.text.ends_with(end)) {
    out.text.resize(out.text.size() - end.size());
  }
  if (out.text == old_text) return unusable("it changes nothing");
  std::vector<TextEdit> edits{out};
  AMBIT_TRY(after, apply_edits(text, edits));
  const FileChange change{request.path, request.text, after, 0644};
  if (auto parses = check_syntax(change); !parses) return unusable(parses.error().message);
  if (document && !same_code(language, text, after)) {
    return unusable("it changes code, where only comments were asked for");
  }
  return out;
}

Result<std::string> explain_by_model(const AssistContext& context, const RewriteRequest& request) {
  AMBIT_CHECK_OK(can_judge(context.scheduler->backend()->describe(), "explanations"));
  AMBIT_TRY(shown, marked(context, request));
  Question question;
  question.text = shown +
                  "Explain the marked lines to a programmer who sees them for the first time: what "
                  "they are for, how they work, what is surprising. Markdown, short.\n";
  question.path = request.path;
  question.cursor = request.span.begin;
  question.max_new_tokens = 2048;
  AMBIT_TRY(answer, ask_model(context, question));
  std::string out;
  for (const char c : answer.text.substr(0, kMaxExplanation)) {
    const auto u = static_cast<unsigned char>(c);
    if (u >= 0x20 || c == '\n' || c == '\t') out += c;
  }
  if (out.find_first_not_of(" \n\t") == std::string::npos) return unusable("it is empty");
  return out;
}

}  // namespace ambit::daemon
