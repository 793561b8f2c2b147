// One client: an editor window or a command. Everything here belongs to its strand unless it says
// "any thread"; nothing is shared with other sessions, so the unsaved text of one window never
// reaches another's prompt.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "daemon/assists/assist.h"
#include "daemon/assists/completion/completion.h"
#include "daemon/assists/completion/type_through.h"
#include "daemon/net/connection.h"
#include "daemon/net/runtime.h"
#include "daemon/scheduling/debounce.h"
#include "daemon/session/calls.h"
#include "daemon/session/client_info.h"
#include "daemon/session/diagnostics.h"
#include "daemon/session/documents.h"
#include "daemon/support/trace.h"
#include "daemon/workspace/workspace.h"
#include "lsp/message.h"

namespace ambit::daemon {

class Progress;
class Server;

// What a document's completions remember.
struct DocumentState {
  TypeThrough shown;
  // Who waits for what is generated now: ghost text, the list, or both when an editor asks for both
  // at one place. Empty: nothing is.
  struct Waiting {
    lsp::RequestId id;
    bool as_list = false;  // textDocument/completion
  };
  std::vector<Waiting> waiting;
  std::shared_ptr<const std::string> text;  // for which
  std::size_t cursor = 0;                   // and where
  std::stop_source stop;                    // of the generation
  std::stop_source reading;                 // of its prompt, during the pause before it
  std::optional<std::stop_source> ahead;    // of what is generated for after an accept
  std::uint64_t generation = 0;  // rises with each request, so that a late answer knows it is late
  std::unique_ptr<Timer> pause;  // debounce
  std::uint64_t stream = 0;      // of the packer
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Server& server, std::uint64_t id);
  ~Session();
  // on_end is called once, on the strand, after the client is gone.
  void start(FileDescriptor fd, std::function<void(const Session&)> on_end);
  void end();                                                 // any thread
  void show_message(int type, const std::string& text);       // any thread
  void log_message(LogLevel level, const std::string& line);  // any thread; window/logMessage
  [[nodiscard]] ClientInfo client_info() const;               // any thread

  // Posts to the strand; dropped when the session is gone. Any thread.
  void post(std::function<void(Session&)> job);
  // Runs `job` on the strand and waits for what it returns: how a worker looks at documents,
  // settings and the assist context. kCancelled when the session is gone. Not from an io thread,
  // which may be the one that has to run it.
  template <class T>
  [[nodiscard]] Result<T> on_strand(std::function<T(Session&)> job) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    post([promise = std::move(promise), job = std::move(job)](Session& s) {
      try {
        promise->set_value(job(s));
      } catch (...) {
        promise->set_exception(std::current_exception());
      }
    });
    try {
      return future.get();
    } catch (const std::future_error&) {
      return make_error(Code::kCancelled, "the editor is gone");
    } catch (const std::exception& error) {
      return make_error(Code::kInternal, error.what());
    }
  }

  // A request of ours. `then`, if any, is called once on the strand, also when the time is over
  // (limit zero: none) or the session ends. Any thread, never blocks.
  void ask(const std::string& method, const nlohmann::json& params, OnAnswer then = {},
           std::chrono::milliseconds limit = std::chrono::milliseconds(0));
  // The same for worker threads: waits. When `stop` fires, the client is told with $/cancelRequest
  // and the answer is kCancelled.
  [[nodiscard]] Answer ask_and_wait(const std::string& method, const nlohmann::json& params,
                                    std::chrono::milliseconds limit, std::stop_token stop);
  // Diagnostics of one source for one document; see session/diagnostics.h. Any thread.
  void set_diagnostics(std::string uri, std::string source, std::optional<std::int64_t> version,
                       nlohmann::json items);
  void clear_diagnostics(std::string source);  // any thread

  // For handlers; all on the strand.
  void reply(const lsp::RequestId& id, const nlohmann::json& result);
  void fail(const lsp::RequestId& id, lsp::ErrorCode code, const std::string& message);
  void notify(const std::string& method, const nlohmann::json& params);
  // $/logTrace, where the client wants to read more than the messages.
  void trace_note(const std::string& message);

  // Makes a request of the client cancellable until its reply: $/cancelRequest fires the stop
  // source, then calls on_cancel, which may answer at once; so does the end of the session, without
  // on_cancel.
  std::stop_source begin_request(const lsp::RequestId& id,
                                 std::function<void(Session&)> on_cancel = {});

  // Progress tokens, for session/progress.cpp; cancelled by window/workDoneProgress/cancel.
  void watch_token(const nlohmann::json& token, std::stop_source stop);
  void forget_token(const nlohmann::json& token);
  void cancel_token(const nlohmann::json& token);
  [[nodiscard]] std::string new_token();

  void set_client(ClientInfo info);
  // After shutdown or the end of the stream: everything that runs for this client stops.
  void stop_all();

  [[nodiscard]] const std::map<std::string, std::shared_ptr<Workspace>>& workspaces() const {
    return workspaces_;
  }
  // Lets go of those that no folder and no open document is in.
  void drop_unused_workspaces();
  // The workspace of a path; null in single-file mode.
  [[nodiscard]] std::shared_ptr<Workspace> workspace_of(const std::string& path);
  [[nodiscard]] Config config_for(const std::shared_ptr<Workspace>& workspace) const;
  // Everything an assist needs for a document of this window. Its snapshot may be unsettled; a
  // command that has to be exact takes snapshot->settled() on its own thread.
  [[nodiscard]] std::shared_ptr<AssistContext> assist_context(const std::string& path,
                                                              std::stop_token stop);
  // Starts reading the repository of this open document into the model, and shows that once a
  // window. A document that is closed by now starts nothing.
  void read_ahead(const std::string& uri);

  Server& server;
  const std::uint64_t id;
  const Strand strand;
  ClientInfo client;  // strand; other threads take client_info()
  Diagnostics diagnostics;
  Documents documents;
  std::map<std::string, DocumentState> states;  // by URI
  std::stop_source saved_review;                // of the review that the last save began
  Debounce debounce;
  std::vector<std::string> folders;  // absolute
  std::vector<std::pair<std::string, SettingValue>> editor_settings;
  bool initialized = false, shut_down = false, model_problem_said = false;
  enum class Trace { kOff, kMessages, kVerbose } trace = Trace::kOff;
  std::string announced_state;  // what the editor shows; see handlers/announce.h
  std::map<std::string, std::unique_ptr<Progress>> indexing;  // bars that are shown, by root
  bool list_registered = false;  // textDocument/completion, dynamically
  std::uint64_t next_stream = 1;
  // Texts of the model that this window may still show, by the URI of their document.
  std::deque<std::pair<std::string, std::string>> answers;
  std::uint64_t next_answer = 1;

 private:
  void on_frame(lsp::FrameEvent event);
  void dispatch(lsp::Message message);
  void finish();
  void trace_reply(const lsp::RequestId& request, const std::string& how);
  // In the next pause of the typing: what a keystroke had no time for.
  void settle(const std::shared_ptr<const indexer::Snapshot>& snapshot);

  std::shared_ptr<Connection> connection_;
  std::function<void(const Session&)> on_end_;
  struct Running {
    std::stop_source stop;
    std::function<void(Session&)> on_cancel;
  };
  std::map<lsp::RequestId, Running> running_;
  struct Traced {
    std::string method;
    std::chrono::steady_clock::time_point start;
  };
  std::map<lsp::RequestId, Traced> traced_;  // while trace is on
  Calls calls_;
  std::map<std::string, std::stop_source> tokens_;  // by their JSON
  std::uint64_t next_token_ = 1;
  std::map<std::string, std::shared_ptr<Workspace>> workspaces_;  // by root: kept alive
  std::set<std::string> shown_reading_;                           // roots
  std::unique_ptr<Timer> settling_;
  mutable std::mutex client_mutex_;
  ClientInfo shared_client_;  // guarded by client_mutex_
};

}  // namespace ambit::daemon
