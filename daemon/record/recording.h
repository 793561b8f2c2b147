// One editor's session in a file: what went over the wire, and what the model was asked and said.
// A recording holds source text, so it belongs to its user alone (mode 0600).
//
// JSON, one object a line, in the order in which things happened; "t" is milliseconds since the
// start:
//   {"ambit": "recording", "version": 1, "program": "0.1.0", "model": setting, "fim": "psm"|"spm"}
//   {"t", "editor": message}        as the editor sent it
//   {"t", "daemon": message}        as the editor got it
//   {"t", "ask": n, "prompt": ids}  a request to the model; n counts from 1
//   {"t", "say": n, "ids", "logprobs"}
//   {"t", "done": n, "finish": "stop"|"length"|"cancelled"|"deadline"|"error", "error"?}
#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::daemon {

// Any thread. A line that cannot be written is dropped; failed() says so at the end.
class Recorder {
 public:
  // Creates the file, or empties it.
  [[nodiscard]] static Result<std::shared_ptr<Recorder>> create(const std::filesystem::path& path);
  explicit Recorder(std::FILE* file) : file_(file) {}
  ~Recorder() { std::fclose(file_); }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  void write(nlohmann::json line);
  [[nodiscard]] bool failed() const;

 private:
  mutable std::mutex mutex_;
  std::FILE* const file_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// The lines, the first one checked: kCorrupt names the line that is wrong.
[[nodiscard]] Result<std::vector<nlohmann::json>> read_recording(const std::filesystem::path& path);

}  // namespace ambit::daemon
