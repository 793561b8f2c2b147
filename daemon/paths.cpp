#include "daemon/paths.h"

#include <pwd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

#include "daemon/version.h"

namespace ambit::daemon {

namespace fs = std::filesystem;

namespace {

fs::path from_environment(const char* name) {
  const char* value = std::getenv(name);
  // The XDG rules: a relative path there is to be ignored.
  return value != nullptr && value[0] == '/' ? fs::path(value) : fs::path();
}

fs::path xdg(const char* variable, const char* below_home) {
  if (auto path = from_environment(variable); !path.empty()) return path / "ambit";
  return home_directory() / below_home / "ambit";
}

// FNV-1a, 32 bits: enough to keep sockets of different set-ups apart; not a security measure.
std::uint32_t short_hash(const std::string& text) {
  std::uint32_t hash = 2166136261U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 16777619U;
  }
  return hash;
}

}  // namespace

fs::path home_directory() {
  if (auto path = from_environment("HOME"); !path.empty()) return path;
  const passwd* entry = ::getpwuid(::getuid());
  return entry != nullptr && entry->pw_dir != nullptr ? fs::path(entry->pw_dir) : fs::path();
}

fs::path user_config_file() {
  const char* explicit_file = std::getenv("AMBIT_CONFIG");
  if (explicit_file != nullptr && explicit_file[0] != 0) return explicit_file;
  return xdg("XDG_CONFIG_HOME", ".config") / "config.toml";
}
fs::path cache_directory() {
  return xdg("XDG_CACHE_HOME", ".cache");
}
fs::path state_directory() {
  return xdg("XDG_STATE_HOME", ".local/state");
}
fs::path pack_directory(const fs::path& root) {
  std::array<char, 24> hash{};
  std::snprintf(hash.data(), hash.size(), "-%08x%08x", short_hash(root.string()),
                short_hash("pack\n" + root.string()));
  return state_directory() / "packs" / (root.filename().string() + hash.data());
}
fs::path data_directory() {
  return xdg("XDG_DATA_HOME", ".local/share");
}

fs::path executable() {
  std::error_code error;
  auto path = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : path;
}

Result<fs::path> runtime_directory() {
  fs::path directory = from_environment("XDG_RUNTIME_DIR");
  std::error_code error;
  if (directory.empty() || !fs::is_directory(directory, error)) {
    directory = "/tmp/ambit-" + std::to_string(::getuid());
  } else {
    directory /= "ambit";
  }
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return make_error(Code::kIo, "cannot make " + directory.string() +
                                     " for the daemon's socket; set XDG_RUNTIME_DIR to a folder "
                                     "that you can write to");
  }
  struct stat info {};
  if (::lstat(directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return make_error(Code::kPermission, directory.string() + " is not a folder; remove it");
  }
  if (info.st_uid != ::getuid()) {
    return make_error(Code::kPermission,
                      directory.string() + " belongs to another user; set XDG_RUNTIME_DIR");
  }
  if ((info.st_mode & 0077) != 0 && ::chmod(directory.c_str(), 0700) != 0) {
    return make_error(Code::kPermission,
                      directory.string() + " is open to other users; chmod 700 it");
  }
  return directory;
}

Result<fs::path> socket_path(const std::string& identity) {
  AMBIT_TRY(directory, runtime_directory());
  // Two builds never share a daemon: a new binary gets a new socket, the old daemon leaves when
  // idle.
  std::string build(version());
  struct stat info {};
  if (::stat("/proc/self/exe", &info) == 0) {
    build += '/' + std::to_string(info.st_ino) + '/' + std::to_string(info.st_mtim.tv_sec) + '.' +
             std::to_string(info.st_mtim.tv_nsec);
  }
  std::array<char, 32> name{};
  // The number before the dash is the version of our own protocol between forwarder and daemon.
  std::snprintf(name.data(), name.size(), "1-%08x.sock", short_hash(build + '\n' + identity));
  auto path = directory / name.data();
  if (path.native().size() >= sizeof(sockaddr_un::sun_path)) {
    return make_error(
        Code::kInvalidArgument,
        "the socket path " + path.string() +
            " is longer than the system allows; set XDG_RUNTIME_DIR to a shorter one");
  }
  return path;
}

fs::path bundled_model() {
  const fs::path binary = executable();
  std::error_code error;
  for (const fs::path& candidate : {binary.parent_path() / "../share/ambit/nano",
                                    binary.parent_path() / "../../inference/nano/model"}) {
    if (fs::exists(candidate / "config.json", error)) return fs::weakly_canonical(candidate, error);
  }
  return {};
}

}  // namespace ambit::daemon
