// `ambit engine`: the child of the daemon that holds weights, state and the GPU context. It speaks
// scheduling/engine_wire.h on one descriptor and ends when the other side closes it.
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <thread>

#include "daemon/cli/options.h"
#include "daemon/cli/verbs.h"
#include "daemon/config.h"
#include "daemon/net/local_socket.h"
#include "daemon/scheduling/engine_wire.h"
#include "daemon/scheduling/model_spec.h"
#include "daemon/support/trace.h"

namespace ambit::daemon {

namespace {

namespace wire = engine_wire;
using inference::BackendInfo;

class EngineProcess {
 public:
  EngineProcess(int fd, std::shared_ptr<inference::Backend> backend)
      : fd_(fd), backend_(std::move(backend)) {}

  void run() {
    report_changes();
    // The backend has no observer, so its state is looked at while it is loading, and when a
    // request ends.
    std::jthread watcher([this](std::stop_token stop) {
      while (!stop.stop_requested()) {
        report_changes();
        std::unique_lock lock(wait_mutex_);
        wait_.wait_for(lock, stop, std::chrono::milliseconds(loading_ ? 50 : 1000),
                       [] { return false; });
      }
    });
    while (auto frame = wire::read_frame(fd_)) {
      if (!handle(*frame)) break;
    }
    watcher.request_stop();
    watcher.join();
    std::vector<std::stop_source> running;
    {
      std::lock_guard lock(mutex_);
      for (auto& [id, source] : running_) running.push_back(source);
    }
    for (auto& source : running) source.request_stop();
    // The backend's threads still call us back.
    std::unique_lock lock(mutex_);
    (void)ended_.wait_for(lock, std::chrono::seconds(5), [this] { return running_.empty(); });
  }

 private:
  bool handle(const wire::Frame& frame) {
    ByteReader in{std::string_view(frame.payload)};
    switch (frame.kind) {
      case wire::Kind::kWake:
        backend_->wake();
        report_changes();
        return true;
      case wire::Kind::kCancel: {
        const auto id = in.read<std::uint64_t>();
        std::stop_source source(std::nostopstate);
        {
          std::lock_guard lock(mutex_);
          if (const auto found = running_.find(id); found != running_.end()) source = found->second;
        }
        source.request_stop();
        return in.ok();
      }
      case wire::Kind::kSubmit: {
        const auto id = in.read<std::uint64_t>();
        auto request = wire::get_request(in);
        if (!in.ok()) return false;
        submit(id, std::move(request));
        return true;
      }
      default:
        return false;
    }
  }

  void submit(std::uint64_t id, inference::GenerateRequest request) {
    std::stop_source source;
    {
      std::lock_guard lock(mutex_);
      running_.emplace(id, source);
    }
    inference::GenerateEvents events;
    events.on_prefill = [this, id](std::int64_t done, std::int64_t total) {
      ByteWriter out;
      out.write(id);
      out.write(done);
      out.write(total);
      send(wire::Kind::kPrefill, out.data());
    };
    events.on_tokens = [this, id](std::span<const inference::GeneratedToken> tokens) {
      ByteWriter out;
      out.write(id);
      wire::put(out, tokens);
      send(wire::Kind::kTokens, out.data());
    };
    events.on_done = [this, id](const inference::GenerateResult& result) {
      report_changes();
      ByteWriter out;
      out.write(id);
      wire::put(out, result);
      send(wire::Kind::kDone, out.data());
      // Last: when none is left, this object may go.
      std::lock_guard lock(mutex_);
      running_.erase(id);
      ended_.notify_all();
    };
    backend_->submit(std::move(request), std::move(events), source.get_token());
  }

  void report_changes() {
    const BackendInfo now = backend_->describe();
    loading_ = now.state == inference::BackendState::kLoading;
    ByteWriter out;
    wire::put(out, now);
    std::lock_guard lock(info_mutex_);
    if (out.data() == last_info_) return;
    last_info_ = out.data();
    send(wire::Kind::kInfo, last_info_);
  }

  void send(wire::Kind kind, std::string_view payload) {
    const std::string bytes = wire::frame(kind, payload);
    std::lock_guard lock(write_mutex_);
    (void)write_all(fd_, bytes.data(), bytes.size());
  }

  const int fd_;
  const std::shared_ptr<inference::Backend> backend_;
  std::mutex mutex_;
  std::map<std::uint64_t, std::stop_source> running_;
  std::condition_variable ended_;  // one of them
  std::mutex write_mutex_;
  std::mutex info_mutex_;
  std::string last_info_;
  std::mutex wait_mutex_;
  std::condition_variable_any wait_;
  std::atomic<bool> loading_{true};
};

}  // namespace

int engine_command(const Arguments& arguments) {
  Options options("engine", "--fd N --model SPEC", "The engine process; started by the daemon.");
  auto& fd = options.integer("--fd", 3, 3, 1 << 20, "the socket to the daemon");
  auto& model = options.text("--model", "", "SPEC", "the model");
  auto& settings = options.rest("KEY=VALUE", Options::kOptional);
  if (auto done = options.parse(arguments)) return *done;
  auto config = Config::load();
  if (!config) return report(config.error());
  for (const auto& pair : settings) {
    const auto equals = pair.find('=');
    if (equals == std::string::npos) return options.usage_error("'" + pair + "' is not KEY=VALUE");
    if (auto set = config->set(pair.substr(0, equals), pair.substr(equals + 1), "command line");
        !set) {
      return report(set.error());
    }
  }
  if (std::getenv("AMBIT_LOG") == nullptr)
    set_log_level(parse_log_level(config->text("log.level")));
  // When memory runs out this process goes first, not the editor.
  std::ofstream("/proc/self/oom_score_adj") << 500;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGINT, SIG_IGN);

  // Loading takes the time that it takes; the daemon shows it as such meanwhile.
  const int descriptor = static_cast<int>(fd);
  {
    inference::BackendInfo loading;
    loading.name = model;
    loading.state = inference::BackendState::kLoading;
    ByteWriter out;
    wire::put(out, loading);
    const std::string bytes = wire::frame(wire::Kind::kInfo, out.data());
    (void)write_all(descriptor, bytes.data(), bytes.size());
  }
  std::shared_ptr<inference::Backend> backend;
  auto spec = resolve_model(model);
  if (spec) {
    auto opened = open_backend(*spec, *config);
    backend = opened ? *opened : unavailable_backend(opened.error());
  } else {
    backend = unavailable_backend(spec.error());
  }
  EngineProcess(descriptor, backend).run();
  return kExitDone;
}

}  // namespace ambit::daemon
