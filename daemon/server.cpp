#include "daemon/server.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "daemon/assists/completion/completion.h"
#include "daemon/assists/completion/memory.h"
#include "daemon/assists/completion/warm_prefix.h"
#include "daemon/handlers/announce.h"
#include "daemon/handlers/features.h"
#include "daemon/paths.h"
#include "daemon/scheduling/engine_client.h"
#include "daemon/session/session.h"
#include "daemon/support/file.h"
#include "daemon/support/trace.h"
#include "daemon/version.h"

namespace ambit::daemon {

struct Gate {
  std::mutex mutex;
  Server* server = nullptr;
  // Calls `what` of the server unless it is gone.
  void pass(const std::function<void(Server&)>& what) {
    std::lock_guard lock(mutex);
    if (server != nullptr) what(*server);
  }
};

namespace {

using nlohmann::json;

unsigned cpu_threads() {
  return std::max(2U, std::thread::hardware_concurrency());
}

std::uint64_t resident_bytes(const std::string& process) {
  std::ifstream file("/proc/" + process + "/statm");
  std::uint64_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

const char* state_name(inference::BackendState state) {
  switch (state) {
    case inference::BackendState::kCold:
      return "cold";
    case inference::BackendState::kLoading:
      return "loading";
    case inference::BackendState::kReady:
      return "ready";
    case inference::BackendState::kUnavailable:
      return "unavailable";
  }
  return "unavailable";
}

IndexSupport telling(IndexSupport index, const std::shared_ptr<Gate>& gate) {
  index.on_change = [gate] { gate->pass([](Server& server) { server.announce_state(); }); };
  index.on_prepared = [gate](const std::filesystem::path& root) {
    std::shared_ptr<WarmPrefix> warm;
    gate->pass([&](Server& server) { warm = server.warm_of(root); });
    if (warm) warm->look_again();  // which passes the gate itself
  };
  return index;
}

// {"fim": "spm", "prompt_tokens": 640} in ambit.json beside the checkpoint:
// docs/decisions/0001-prompt-text.md.
PromptForm prompt_form_of(const std::filesystem::path& model) {
  std::error_code error;
  const auto folder = std::filesystem::is_directory(model, error) ? model : model.parent_path();
  const auto text = read_file(folder / "ambit.json", 1U << 16);
  const auto said = text ? json::parse(*text, nullptr, false) : json();
  PromptForm form;
  if (!said.is_object()) return form;
  if (const auto fim = said.find("fim"); fim != said.end() && *fim == "spm") {
    form.order = FimOrder::kSpm;
  }
  if (const auto most = said.find("prompt_tokens");
      most != said.end() && most->is_number_integer()) {
    form.most_tokens = std::clamp<std::int64_t>(most->get<std::int64_t>(), 0, 1U << 24U);
  }
  return form;
}

}  // namespace

Server::Server(ServerOptions options)
    : config_(std::move(options.config)),
      features_(options.features ? std::move(options.features)
                                 : std::make_shared<const Features>(builtin_features())),
      gate_(std::make_shared<Gate>()),
      runtime_(2, cpu_threads()),
      workspaces_(config_, telling(std::move(options.index), gate_)) {
  gate_->server = this;
  set_log_sink(
      [this](LogLevel level, std::string_view line) { log_line(level, std::string(line)); });
  if (options.backend) {
    backend_ = std::move(options.backend);
    prompt_form_ = options.prompt_form;
  } else {
    open_model();
  }
  if (options.wrap) backend_ = options.wrap(backend_);
  scheduler_ = std::make_shared<Scheduler>(backend_);
}

std::shared_ptr<WarmPrefix> Server::warm_of(const std::filesystem::path& root) {
  std::lock_guard lock(mutex_);
  const auto found = warm_.find(root);
  return found == warm_.end() ? nullptr : found->second;
}

std::shared_ptr<WarmPrefix> Server::warm_prefix(const std::shared_ptr<Workspace>& workspace,
                                                const Config& config,
                                                const std::vector<std::string>& around) {
  const auto info = backend_->describe();
  if (!workspace || !workspace->packer() || info.backend == "remote" || info.leaves_machine) {
    return nullptr;
  }
  std::shared_ptr<WarmPrefix> warm;
  {
    std::lock_guard lock(mutex_);
    auto& slot = warm_[workspace->root()];
    if (!slot) {
      slot = std::make_shared<WarmPrefix>(WarmPrefix::Parts{
          workspace->packer(), scheduler_, tokens_, workspace->root().string(),
          [gate = gate_](std::function<void()> job) {
            gate->pass([&](Server& server) { server.runtime_.work(std::move(job)); });
          },
          [engine = engine_] { return engine == nullptr ? 0 : engine->child_pid(); }});
    }
    warm = slot;
  }
  if (info.state == inference::BackendState::kReady) {
    const bool asked =
        config.flag("completion.enabled") && memory_role(config, info) != MemoryRole::kLead;
    warm->want(asked ? prompt_budget(config, prompt_form_.limit(info.context)).pack : 0, around);
  }
  return warm;
}

void Server::open_model() {
  auto spec = resolve_model(config_.text("model"));
  if (!spec) {
    backend_ = unavailable_backend(spec.error());
    return;
  }
  if (spec->kind == ModelSpec::Kind::kRemote) {
    auto opened = open_backend(*spec, config_, [gate = gate_](const inference::BackendInfo&) {
      gate->pass([](Server& server) { server.model_changed(); });
    });
    backend_ = opened ? *opened : unavailable_backend(opened.error());
    return;
  }
  prompt_form_ = prompt_form_of(spec->path);
  EngineOptions engine;
  engine.executable = executable();
  engine.arguments = {"--model", spec->text()};
  for (const Setting& setting : settings_table()) {
    if (config_.origin(setting.key) == "command line" && setting.key != "model") {
      engine.arguments.push_back(std::string(setting.key) + "=" +
                                 to_string(config_.value(setting.key)));
    }
  }
  engine.load_tokenizer = [spec = *spec] { return load_tokenizer(spec); };
  engine.on_change = [this](const inference::BackendInfo&) { model_changed(); };
  engine.on_restart = [this](const std::string& line) {
    for (const auto& session : sessions()) session->show_message(2, line);
  };
  auto client = std::make_shared<EngineClient>(std::move(engine));
  engine_ = client.get();
  backend_ = std::move(client);
}

Server::~Server() {
  finish();
}

void Server::finish() {
  stop();
  for (const auto& session : sessions()) session->end();
  {
    // A session and its connection own each other until it has ended.
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return sessions_.empty(); });
    waiting_for_model_.clear();
    warm_.clear();
  }
  set_log_sink({});  // waits for a line that is on its way
  {
    std::lock_guard lock(gate_->mutex);
    gate_->server = nullptr;
  }
  // The engine's thread posts to the runtime and sessions, so it ends first. Workers may wait for
  // it and for strands, so they are joined while the runtime still runs.
  if (engine_ != nullptr) engine_->shut_down();
  workers_.join();
  runtime_.stop();
}

void Server::add_client(FileDescriptor fd) {
  std::shared_ptr<Session> session;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    const auto id = next_session_++;
    session = std::make_shared<Session>(*this, id);
    sessions_.emplace(id, session);
  }
  session->start(std::move(fd), [this](const Session& ended) {
    std::lock_guard lock(mutex_);
    if (ended.initialized) orphaned_ = !ended.shut_down;
    sessions_.erase(ended.id);
    idle_since_ = std::chrono::steady_clock::now();
    wake_.notify_all();
  });
}

void Server::run(std::chrono::seconds idle_exit) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const auto keep_alive = config_.integer("engine.keep_alive_s");
    if (engine_ != nullptr && keep_alive > 0) {
      lock.unlock();
      engine_->park_if_idle(std::chrono::seconds(keep_alive));
      lock.lock();
      if (stopping_) break;
    }
    if (idle_exit.count() > 0 && sessions_.empty()) {
      const std::chrono::seconds orphan_exit(config_.integer("daemon.orphan_exit_s"));
      const auto until = idle_since_ + (orphaned_ ? std::min(idle_exit, orphan_exit) : idle_exit);
      if (std::chrono::steady_clock::now() >= until) return;
      wake_.wait_until(lock, until);
    } else {
      wake_.wait_for(lock, std::chrono::seconds(60));
    }
  }
}

void Server::stop() {
  std::lock_guard lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
}

void Server::when_model_settled(std::function<void()> then) {
  {
    std::lock_guard lock(mutex_);
    waiting_for_model_.push_back(std::move(then));
  }
  backend_->wake();
  model_changed();
}

void Server::model_changed() {
  const auto info = backend_->describe();
  const auto state = info.state;
  const std::pair told{state, info.problem};
  bool news = false;
  {
    std::lock_guard lock(mutex_);
    news = std::exchange(announced_, told) != told;
  }
  if (news) announce_state();
  if (state == inference::BackendState::kLoading || state == inference::BackendState::kCold) return;
  std::vector<std::function<void()>> waiting;
  std::vector<std::shared_ptr<WarmPrefix>> warm;
  {
    std::lock_guard lock(mutex_);
    waiting = std::exchange(waiting_for_model_, {});
    for (auto& [root, prefix] : warm_) warm.push_back(prefix);
  }
  for (auto& prefix : warm) {
    if (!prefix->ready(prefix->status().budget)) prefix->look_again();
  }
  for (auto& then : waiting) runtime_.work(std::move(then));
}

std::vector<std::shared_ptr<Session>> Server::sessions() {
  std::vector<std::shared_ptr<Session>> out;
  std::lock_guard lock(mutex_);
  for (auto& [id, session] : sessions_) out.push_back(session);
  return out;
}

void Server::announce_state() {
  runtime_.work([this] {
    const auto info = backend_->describe();
    for (const auto& session : sessions()) {
      session->post([info](Session& s) { daemon::announce_state(s, info); });
    }
  });
}

// Called while the log is locked, so it only leaves the line for a thread of the runtime.
void Server::log_line(LogLevel level, const std::string& line) {
  runtime_.work([this, level, line] {
    for (const auto& session : sessions()) session->log_message(level, line);
  });
}

void Server::count_empty_answer(const std::string& reason) {
  std::lock_guard lock(mutex_);
  if (empty_answers_.size() < 100 || empty_answers_.contains(reason)) ++empty_answers_[reason];
}

void Server::count_from_cache() {
  std::lock_guard lock(mutex_);
  ++completions_;
  ++from_cache_;
}

void Server::count_completion(double ms, const CompletionOutcome& outcome) {
  constexpr std::size_t kKept = 512;
  std::lock_guard lock(mutex_);
  ++completions_;
  answered_.push_back({ms, outcome.prompt_tokens == 0 ? -1 : outcome.usage.computed_tokens});
  if (answered_.size() > kKept) answered_.pop_front();
}

std::string Server::status_json() {
  const auto info = backend_->describe();
  json out;
  out["version"] = version();
  out["pid"] = ::getpid();
  out["uptime_s"] =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
  out["model"] = {{"name", info.name},         {"arch", info.arch},
                  {"backend", info.backend},   {"state", state_name(info.state)},
                  {"device", info.device},     {"weights_bytes", info.weights_bytes},
                  {"kv_bytes", info.kv_bytes}, {"context", info.context},
                  {"problem", info.problem},   {"leaves_machine", info.leaves_machine}};
  out["workspaces"] = json::array();
  for (const auto& workspace : workspaces_.all()) {
    const auto status = workspace->status();
    json warm;
    if (const auto prefix = warm_of(workspace->root())) {
      const auto now = prefix->status();
      warm = {{"state", now.name()},
              {"tokens", now.tokens},
              {"done", now.done},
              {"budget", now.budget}};
    }
    out["workspaces"].push_back({{"root", status.root},
                                 {"warm", warm},
                                 {"memory", workspace->memory_state()},
                                 {"files", status.files},
                                 {"definitions", status.definitions},
                                 {"state", status.state},
                                 {"watching", status.watching},
                                 {"problem", status.problem}});
  }
  out["queue"] = json::array();
  for (const auto& entry : scheduler_->queue()) {
    out["queue"].push_back({{"owner", entry.owner},
                            {"what", entry.what},
                            {"running", entry.running},
                            {"age_ms", entry.age_ms},
                            {"prompt_tokens", entry.prompt_tokens}});
  }
  out["memory"] = {{"rss_bytes", resident_bytes("self")}};
  if (engine_ != nullptr) {
    const int pid = engine_->child_pid();
    out["engine"] = {{"pid", pid}};
    if (pid != 0) out["memory"]["engine_rss_bytes"] = resident_bytes(std::to_string(pid));
  }
  std::lock_guard lock(mutex_);
  out["sessions"] = json::array();
  for (const auto& [id, session] : sessions_) {
    out["sessions"].push_back({{"id", id}, {"client", session->client_info().name}});
  }
  out["completions"] = {{"answered", completions_}, {"from_cache", from_cache_}};
  const auto typed = scheduler_->keystrokes();
  out["completions"]["keystrokes"] = {{"requests", typed.requests},
                                      {"prompt_tokens", typed.prompt_tokens},
                                      {"reused_tokens", typed.reused_tokens},
                                      {"computed_tokens", typed.computed_tokens}};
  std::vector<double> ms, computed;
  for (const auto& a : answered_) {
    ms.push_back(a.ms);
    if (a.computed >= 0) computed.push_back(static_cast<double>(a.computed));
  }
  for (auto [name, values] : {std::pair{"ms", &ms}, std::pair{"computed_tokens", &computed}}) {
    if (values->empty()) continue;
    std::sort(values->begin(), values->end());
    const auto at = [v = values](double share) {
      return (*v)[static_cast<std::size_t>(share * static_cast<double>(v->size() - 1))];
    };
    out["completions"][name] = {{"p50", at(0.5)}, {"p95", at(0.95)}, {"max", at(1)}};
  }
  out["last_empty_answers"] = json::array();
  for (const auto& [reason, count] : empty_answers_) {
    out["last_empty_answers"].push_back({{"reason", reason}, {"count", count}});
  }
  return out.dump();
}

}  // namespace ambit::daemon
