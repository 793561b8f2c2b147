// What the model does to one place of one file: rewrites it as somebody says, documents it, fixes a
// diagnostic, explains it, writes a test for it. Answers are read strictly (edit_format.h) and
// checked before anyone sees them: an edit stays inside of the lines that were asked about, leaves
// the file parsing as well as before, and where only comments were asked for, changes no code.
#pragma once

#include <string>

#include "daemon/assists/assist.h"
#include "daemon/assists/refactor/edits.h"

namespace ambit::daemon {

struct RewriteRequest {
  enum Kind { kRewrite, kDocument, kFix } kind = kRewrite;
  std::string path;         // relative to the root
  std::string text;         // of the document, unsaved edits included
  indexer::ByteSpan span;   // what is meant; grows to whole lines
  std::string instruction;  // kRewrite: what somebody said; kFix: the diagnostic's message
};

// Whole lines around the span; for a caret without a selection the innermost definition around it.
[[nodiscard]] indexer::ByteSpan lines_of(const std::string& path, std::string_view text,
                                         indexer::ByteSpan span);

// One edit on request.text. Blocks; not on a thread of the runtime. kUnsupported: a model that is
// too small, a place with a secret; kInvalidArgument: an answer that cannot be used, with the
// reason.
[[nodiscard]] Result<TextEdit> rewrite_by_model(const AssistContext& context,
                                                const RewriteRequest& request);

// Markdown for a person, without control characters, at most 64 KiB.
[[nodiscard]] Result<std::string> explain_by_model(const AssistContext& context,
                                                   const RewriteRequest& request);

// Where a test for this file belongs: an existing test file that names it or uses what it defines,
// else where this language's tools look for one. kUnsupported when neither says.
[[nodiscard]] Result<std::string> test_file_for(const indexer::Snapshot& snapshot,
                                                const std::string& path, const std::string& symbol);

// A test of the definition at the span: the test file before (nullopt: it is new) and after. What
// is there stays; the new lines stand behind it.
[[nodiscard]] Result<FileChange> test_by_model(const AssistContext& context,
                                               const RewriteRequest& request);

// Whether two texts have the same code: everything but comments, blanks and Python's doc strings.
[[nodiscard]] bool same_code(indexer::Language language, std::string_view a, std::string_view b);

}  // namespace ambit::daemon
