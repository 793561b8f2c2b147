// Owns backend, workspaces and sessions; the order of start and stop.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/assists/assist.h"
#include "daemon/assists/completion/prompt.h"
#include "daemon/config.h"
#include "daemon/net/local_socket.h"
#include "daemon/net/runtime.h"
#include "daemon/scheduling/model_spec.h"
#include "daemon/scheduling/scheduler.h"
#include "daemon/session/workers.h"
#include "daemon/support/trace.h"
#include "daemon/workspace/workspace.h"
#include "inference/backend.h"

namespace ambit::daemon {

class EngineClient;
class Session;
class WarmPrefix;
struct CompletionOutcome;
struct Features;
struct Gate;

struct ServerOptions {
  Config config;
  IndexSupport index;
  std::shared_ptr<const Features> features = nullptr;  // null: builtin_features()
  // Instead of the configured model, with its form of a prompt; for replay.
  std::shared_ptr<inference::Backend> backend = nullptr;
  PromptForm prompt_form = {};
  // What stands between the scheduler and the model; for recording. May be empty.
  std::function<std::shared_ptr<inference::Backend>(std::shared_ptr<inference::Backend>)> wrap = {};
};

class Server {
 public:
  explicit Server(ServerOptions options);
  ~Server();  // finish(), then what is read of repositories ends

  // A client is at the other end of this stream. Any thread.
  void add_client(FileDescriptor fd);
  // Blocks until stop() or, when idle_exit is not zero, until nobody was connected for that long;
  // for daemon.orphan_exit_s, if that is less, where the last editor went without a shutdown.
  void run(std::chrono::seconds idle_exit);
  void stop();
  // Ends sessions, the engine and the threads that serve, in this order; commands come to their
  // ends.
  void finish();

  [[nodiscard]] Runtime& runtime() { return runtime_; }
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] WorkspaceRegistry& workspaces() { return workspaces_; }
  [[nodiscard]] const std::shared_ptr<Scheduler>& scheduler() { return scheduler_; }
  [[nodiscard]] const std::shared_ptr<TokenCache>& tokens() { return tokens_; }
  [[nodiscard]] const PromptForm& prompt_form() const { return prompt_form_; }
  [[nodiscard]] std::string status_json();

  [[nodiscard]] const Features& features() const { return *features_; }
  [[nodiscard]] Workers& workers() { return workers_; }

  // Wakes the model; calls back on a cpu thread once it is ready or cannot be (then it is asked
  // with describe()).
  void when_model_settled(std::function<void()> then);

  // The line that says what runs, to every editor that shows one.
  void announce_state();
  // What the model reads of this repository ahead of completions; the first call starts it, once
  // the model is ready. Null where a completion does not ask the model, or asks another host's.
  [[nodiscard]] std::shared_ptr<WarmPrefix> warm_prefix(const std::shared_ptr<Workspace>& workspace,
                                                        const Config& config,
                                                        const std::vector<std::string>& around);
  // The one that there is, or null.
  [[nodiscard]] std::shared_ptr<WarmPrefix> warm_of(const std::filesystem::path& root);

  void count_empty_answer(const std::string& reason);
  void count_from_cache();
  void count_completion(double ms, const CompletionOutcome& outcome);

 private:
  void open_model();
  void model_changed();
  void log_line(LogLevel level, const std::string& line);
  [[nodiscard]] std::vector<std::shared_ptr<Session>> sessions();

  const Config config_;
  const std::shared_ptr<const Features> features_;
  // A remote backend and an index tell of changes on threads of their own, and may outlive this
  // object.
  const std::shared_ptr<Gate> gate_;
  Runtime runtime_;
  WorkspaceRegistry workspaces_;
  std::shared_ptr<inference::Backend> backend_;
  EngineClient* engine_ = nullptr;  // backend_, when it is a process
  std::shared_ptr<Scheduler> scheduler_;
  std::shared_ptr<TokenCache> tokens_ = std::make_shared<TokenCache>();
  PromptForm prompt_form_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();

  Workers workers_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions_;
  std::uint64_t next_session_ = 1;
  std::vector<std::function<void()>> waiting_for_model_;
  std::map<std::string, std::uint64_t> empty_answers_;
  std::uint64_t completions_ = 0, from_cache_ = 0;
  std::pair<inference::BackendState, std::string> announced_;    // of the model
  std::chrono::steady_clock::time_point idle_since_ = started_;  // while there is no session
  bool orphaned_ = false;  // the editor that left last was killed
  struct Answered {
    double ms = 0;
    std::int64_t computed = -1;  // tokens of the prompt; -1: the model was not asked
  };
  std::deque<Answered> answered_;  // the latest
  std::map<std::filesystem::path, std::shared_ptr<WarmPrefix>> warm_;
  bool stopping_ = false;
};

}  // namespace ambit::daemon
