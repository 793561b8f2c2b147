// From a cursor to items: what the repository itself says when that is sure; else pack, prompt,
// generate, clean. Asynchronous: the cpu work runs where
// complete() is called (a cpu thread), the model streams on its own thread, and `done` is called
// there too: it must only post.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/assists/assist.h"
#include "daemon/assists/completion/prompt.h"

namespace ambit::daemon {

struct CompletionRequest {
  std::string path;                         // relative to the root
  std::shared_ptr<const std::string> text;  // of the document
  std::size_t cursor = 0;                   // byte offset in it
  std::int64_t items = 1;
  bool asked = false;  // by hand: less sure items are worth showing
  // Nobody waits yet: below everything else, and only asked of a model that reads ahead for free.
  bool ahead = false;
  // Nothing is generated: the model reads the prompt, so that it has while the typing pauses.
  bool read_only = false;
  PromptForm form = {};
};

struct CompletionItem {
  std::string text;                   // inserted at the cursor; never empty
  double logprob = 0;                 // mean per token; of a text from the repository: of the whole
  std::string_view source = "model";  // or "repository", "index"; static text
  std::size_t replaces = 0;           // bytes behind the cursor, on its line
};

struct CompletionOutcome {
  std::vector<CompletionItem> items;  // best first, no two alike
  std::string reason;                 // why there are none; empty otherwise
  bool cancelled = false;
  Error error;                // code kInternal and no message: none
  indexer::ContextPack pack;  // what was sent
  std::int64_t prompt_tokens = 0;
  bool cold = false;       // a small pack was sent, since the model has not read the large one
  inference::Usage usage;  // of the first item
  double prompt_ms = 0;    // pack and tokens
  double total_ms = 0;
};

void complete(std::shared_ptr<const AssistContext> context, CompletionRequest request,
              std::function<void(CompletionOutcome)> done);

}  // namespace ambit::daemon
