// llama.cpp's own server with the tiny model, on a free port of loopback, for as long as the object
// lives.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

namespace ambit::testing {

class LlamaServer {
 public:
  // "" when the server can be started, else why not.
  [[nodiscard]] static std::string missing();
  LlamaServer(const std::string& fill, const std::string& loop);
  ~LlamaServer();
  [[nodiscard]] bool ready();  // waits until it answers; false after 60 s
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  std::filesystem::path folder_;
  int port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace ambit::testing
