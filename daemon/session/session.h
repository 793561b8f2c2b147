// One client: an editor window or a command. Everything here belongs to its strand unless it says
// "any thread"; nothing is shared with other sessions, so the unsaved text of one window never
// reaches another's prompt.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <stop_token>
#include <string>

#include "daemon/assists/assist.h"
#include "daemon/assists/completion/completion.h"
#include "daemon/assists/completion/type_through.h"
#include "daemon/net/connection.h"
#include "daemon/net/runtime.h"
#include "daemon/scheduling/debounce.h"
#include "daemon/session/documents.h"
#include "daemon/workspace/workspace.h"
#include "lsp/message.h"

namespace ambit::daemon {

class Server;

struct ClientInfo {
  std::string name;
  PositionEncoding encoding = PositionEncoding::kUtf16;
  bool inline_completion = false;
  bool document_changes = false;
  bool work_done_progress = false;
  bool configuration = false;
  bool dynamic_watch = false;
  bool diagnostic_refresh = false;
  bool show_document = false;
};

// What a document's completions remember.
struct DocumentState {
  TypeThrough shown;
  lsp::RequestId request;  // in flight
  bool in_flight = false;
  std::stop_source stop;         // of that request
  std::uint64_t generation = 0;  // rises with each request, so that a late answer knows it is late
  std::unique_ptr<Timer> pause;  // debounce
  std::uint64_t stream = 0;      // of the packer
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Server& server, std::uint64_t id);
  ~Session();
  // on_end is called once, on the strand, after the client is gone.
  void start(FileDescriptor fd, std::function<void(std::uint64_t id)> on_end);
  void end();                                            // any thread
  void show_message(int type, const std::string& text);  // any thread
  [[nodiscard]] std::string client_name() const;         // any thread

  // For handlers; all on the strand.
  void reply(const lsp::RequestId& id, const nlohmann::json& result);
  void fail(const lsp::RequestId& id, lsp::ErrorCode code, const std::string& message);
  void notify(const std::string& method, const nlohmann::json& params);
  // A request of ours; `then` gets the result, or null on an error.
  void ask(const std::string& method, const nlohmann::json& params,
           std::function<void(const nlohmann::json&)> then = {});
  // Posts to the strand; dropped when the session is gone.
  void post(std::function<void(Session&)> job);  // any thread

  // The stop source of a request of ours that runs, by its id; cancelled by $/cancelRequest.
  std::stop_source begin_request(const lsp::RequestId& id);
  void end_request(const lsp::RequestId& id);

  // The workspace of a path; null in single-file mode.
  [[nodiscard]] std::shared_ptr<Workspace> workspace_of(const std::string& path);
  [[nodiscard]] Config config_for(const std::shared_ptr<Workspace>& workspace);
  // Everything an assist needs for a document of this window.
  [[nodiscard]] std::shared_ptr<AssistContext> assist_context(const std::string& path,
                                                              std::stop_token stop);

  Server& server;
  const std::uint64_t id;
  const Strand strand;
  ClientInfo client;
  Documents documents;
  std::map<std::string, DocumentState> states;  // by URI
  Debounce debounce;
  std::vector<std::string> folders;  // absolute
  std::vector<std::pair<std::string, SettingValue>> editor_settings;
  bool initialized = false, shut_down = false, model_problem_said = false;
  std::uint64_t next_stream = 1;

 private:
  void on_frame(lsp::FrameEvent event);
  void dispatch(lsp::Message message);

  std::shared_ptr<Connection> connection_;
  std::function<void(std::uint64_t)> on_end_;
  std::map<lsp::RequestId, std::stop_source> running_;
  std::map<std::int64_t, std::function<void(const nlohmann::json&)>> asked_;
  std::int64_t next_ask_ = 1;
  std::map<std::string, std::shared_ptr<Workspace>> workspaces_;  // by root: kept alive
  mutable std::mutex name_mutex_;
};

}  // namespace ambit::daemon
