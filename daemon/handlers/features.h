// What the assists hang into the protocol: commands, code actions and documents of ours. The lists
// are written out in features.cpp; tests give a Server lists of their own.
//
// A feature's function runs on a thread of its own (session/workers.h) and may take minutes; it
// looks at run.stop at every step. It never touches Session members that belong to the strand, but
// asks for them with Session::on_strand.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "daemon/session/progress.h"
#include "daemon/session/session.h"

namespace ambit::daemon {

// One run of a feature, for one request of the client.
struct FeatureRun {
  std::shared_ptr<Session> session;  // its any-thread members
  Progress& progress;                // begin() it when the work is longer than a moment
  std::stop_token stop;   // $/cancelRequest, the progress' cancel, the end of the session
  std::string show = {};  // a resolved action: the document to show once its edit is applied
};

// A command of workspace/executeCommand. `arguments` is the params' array, empty when absent. The
// error codes become protocol errors: kCancelled -32800, kInvalidArgument -32602, others -32803
// with the message, which the editor shows.
struct EditorCommand {
  std::string name;  // "ambit.…"; announced in executeCommandProvider because it is in the list
  std::function<Result<lsp::Json>(FeatureRun& run, const nlohmann::json& arguments)> run;
};

// What a provider may look at to decide what it offers. Strand only, cheap: VS Code asks 250 ms
// after every rest of the caret.
struct ActionContext {
  const Document& document;
  std::size_t begin = 0, end = 0;  // bytes of the selection in *document.text
  nlohmann::json range;            // the same as the client said it
  nlohmann::json diagnostics;      // of the client, in the range
  bool invoked = false;            // somebody asked (triggerKind 1); else the caret rests
};

struct OfferedAction {
  std::string title;
  std::string kind;                      // "refactor.rewrite.ambit.…", "quickfix.ambit"
  nlohmann::json data;                   // comes back to resolve()
  nlohmann::json diagnostics = nullptr;  // those that it fixes
  bool preferred = false;                // never for what the model writes
  bool by_model = true;                  // tag LLMGenerated
  std::string disabled = {};             // why it cannot be chosen now; empty: it can
  nlohmann::json command = nullptr;      // {command, arguments}: what it does instead of an edit
};

// Code actions. Only `instant` providers are asked when nobody asked (triggerKind 2), and only with
// a selection or a diagnostic: resting the caret never starts the model.
struct ActionProvider {
  std::string name;  // stands in the action's data
  std::string kind;  // of all that it offers, or a prefix of theirs: context.only is checked first
  bool instant = false;
  std::function<std::vector<OfferedAction>(Session&, const ActionContext&)> offer;
  // The WorkspaceEdit of an action: asked by codeAction/resolve, or by the command that stands for
  // the action in clients that cannot resolve (then we apply the edit).
  std::function<Result<lsp::Json>(FeatureRun& run, const nlohmann::json& data)> resolve;
};

// Documents of ours that the editor can show: "ambit-preview:/plan/1/a.cpp".
struct ContentProvider {
  std::string scheme;  // starts with "ambit-"
  std::function<Result<std::string>(FeatureRun& run, const std::string& uri)> text;
};

struct Features {
  std::vector<EditorCommand> commands;
  std::vector<ActionProvider> actions;
  std::vector<ContentProvider> contents;
};

// THE lists.
[[nodiscard]] Features builtin_features();

// The command that stands for a code action where the client cannot resolve edits.
inline constexpr std::string_view kActionCommand = "ambit.codeAction";
// What a resolved action lets the client run behind its edit.
inline constexpr std::string_view kShowCommand = "ambit.show";

// The WorkspaceEdit of an action by the data that code_actions.cpp gave it. Worker threads.
[[nodiscard]] Result<lsp::Json> resolve_action(FeatureRun& run, const Features& features,
                                               const nlohmann::json& data);

// The error of a feature as the protocol says it.
[[nodiscard]] lsp::ErrorCode error_code(Code code);

// Runs `work` on a worker thread as the answer to a request: progress and cancel from the params,
// then one reply. Strand only.
void run_feature(Session& session, const lsp::RequestId& id, const nlohmann::json& params,
                 std::function<Result<lsp::Json>(FeatureRun&)> work);
// The same when nobody asked: no reply, and what goes wrong is logged. Strand only.
void run_unasked(Session& session, std::stop_source stop, const std::string& what,
                 std::function<Result<lsp::Json>(FeatureRun&)> work);

}  // namespace ambit::daemon
