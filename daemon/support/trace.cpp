#include "daemon/support/trace.h"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <mutex>
#include <string>

namespace ambit {
LogLevel parse_log_level(std::string_view name) {
  if (name == "error") return LogLevel::kError;
  if (name == "info") return LogLevel::kInfo;
  if (name == "debug") return LogLevel::kDebug;
  return LogLevel::kWarning;
}

namespace {

constexpr long kRotateBytes = 10L << 20;
constexpr int kKeptFiles = 5;

LogLevel level_from_environment() {
  const char* v = std::getenv("AMBIT_LOG");
  return parse_log_level(v != nullptr ? v : "");
}

struct State {
  std::mutex mutex;  // guards file, path and sink
  std::FILE* file = nullptr;
  std::filesystem::path path;
  std::function<void(LogLevel, std::string_view)> sink;
  std::atomic<LogLevel> level{level_from_environment()};
};

State& state() {
  static auto* s = new State;  // never destroyed: other statics may log while they are
  return *s;
}

void open_file(State& s) {
  s.file = std::fopen(s.path.c_str(), "ae");
  if (s.file != nullptr) ::fchmod(::fileno(s.file), 0600);
}

void rotate(State& s) {
  std::fclose(s.file);
  for (int i = kKeptFiles - 1; i >= 1; --i) {
    auto from = s.path;
    if (i > 1) from += "." + std::to_string(i - 1);
    auto to = s.path;
    to += "." + std::to_string(i);
    std::error_code ec;
    std::filesystem::rename(from, to, ec);
  }
  open_file(s);
}

}  // namespace

void log(LogLevel level, std::string_view component, std::string_view message) {
  State& s = state();
  if (level > s.level.load(std::memory_order_relaxed)) return;
  static constexpr const char* kNames[] = {"error", "warning", "info", "debug"};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  std::tm tm{};
  ::localtime_r(&now.tv_sec, &tm);
  char stamp[40];
  const auto n = std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &tm);
  std::snprintf(stamp + n, sizeof stamp - n, ".%03ld", now.tv_nsec / 1000000);
  std::string line = stamp;
  line += ' ';
  line += kNames[static_cast<int>(level)];
  line += " [";
  line += component;
  line += "] ";
  for (const char c : message) line += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  const std::lock_guard lock(s.mutex);
  std::fprintf(stderr, "%s\n", line.c_str());
  if (s.file != nullptr) {
    std::fprintf(s.file, "%s\n", line.c_str());
    std::fflush(s.file);
    if (std::ftell(s.file) > kRotateBytes) rotate(s);
  }
  if (s.sink) s.sink(level, line);
}

void set_log_level(LogLevel level) {
  state().level = level;
}
LogLevel log_level() {
  return state().level;
}

void set_log_file(const std::filesystem::path& path) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  if (s.file != nullptr) std::fclose(s.file);
  s.file = nullptr;
  s.path = path;
  if (!path.empty()) open_file(s);
}

void set_log_sink(std::function<void(LogLevel, std::string_view)> sink) {
  State& s = state();
  const std::lock_guard lock(s.mutex);
  s.sink = std::move(sink);
}

}  // namespace ambit
