#include "daemon/record/recording.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "daemon/support/file.h"

namespace ambit::daemon {

using nlohmann::json;

Result<std::shared_ptr<Recorder>> Recorder::create(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  std::FILE* file = fd < 0 ? nullptr : ::fdopen(fd, "w");
  if (file == nullptr) {
    return make_error(Code::kIo, "cannot write " + path.string() + ": " + std::strerror(errno));
  }
  return std::make_shared<Recorder>(file);
}

void Recorder::write(json line) {
  std::lock_guard lock(mutex_);
  line["t"] =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  const auto text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), file_);
  std::fflush(file_);  // what led to a crash is there afterwards
}

bool Recorder::failed() const {
  std::lock_guard lock(mutex_);
  return std::ferror(file_) != 0;
}

Result<std::vector<json>> read_recording(const std::filesystem::path& path) {
  AMBIT_TRY(text, read_file(path));
  std::vector<json> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    auto line = json::parse(text.begin() + static_cast<std::ptrdiff_t>(at),
                            text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    // A session that was killed leaves half a line at the end.
    if (line.is_discarded() && end == text.size()) break;
    if (!line.is_object()) {
      return make_error(
          Code::kCorrupt,
          path.string() + ": line " + std::to_string(lines.size() + 1) + " is no JSON object");
    }
    lines.push_back(std::move(line));
    at = end + 1;
  }
  if (lines.empty() || lines[0].value("ambit", json()) != "recording") {
    return make_error(Code::kInvalidArgument,
                      path.string() + " is no recording; `ambit record FILE` makes one");
  }
  if (lines[0].value("version", json()) != 1) {
    return make_error(Code::kUnsupported, path.string() + " is from another version of Ambit");
  }
  return lines;
}

}  // namespace ambit::daemon
