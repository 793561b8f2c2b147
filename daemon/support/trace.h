// Log lines: one line each, to stderr and optionally to a file, never to stdout (stdout belongs to
// the protocol or to --json). No source text goes into a log line.
#pragma once

#include <filesystem>
#include <functional>
#include <string_view>

namespace ambit {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

// Thread-safe. Newlines and control characters in message become spaces.
void log(LogLevel level, std::string_view component, std::string_view message);

[[nodiscard]] LogLevel parse_log_level(std::string_view name);  // "error" …; else kWarning
// Lines above this level are dropped. Default: kWarning; AMBIT_LOG=error|warning|info|debug
// overrides.
void set_log_level(LogLevel level);
[[nodiscard]] LogLevel log_level();

// Besides stderr: append to this file, rotating at 10 MB, five files kept. Empty: no file.
void set_log_file(const std::filesystem::path& path);

// Besides stderr: also hand every line to this function (window/logMessage). Null: nobody.
void set_log_sink(std::function<void(LogLevel, std::string_view line)> sink);

}  // namespace ambit
