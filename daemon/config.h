// Every setting, with default, unit and meaning, and how the sources are merged.
//
// Later sources win: built-in default, user file ($XDG_CONFIG_HOME/ambit/config.toml), environment
// (AMBIT_ and the key in capitals, dots as underscores), command line; then, for one workspace, its
// .ambit.toml (safe keys only: those that can neither run a program nor reach outside the
// repository), and for one session what its editor says. docs/configuration.md is printed from the
// table (`ambit config schema --format markdown`).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "daemon/support/result.h"

namespace ambit::daemon {

using SettingValue = std::variant<bool, std::int64_t, double, std::string>;

struct Setting {
  std::string_view key;
  SettingValue fallback;
  double minimum = 0, maximum = 0;  // of numbers; text and flags ignore them
  std::string_view choices;         // "a|b|c" for text with fixed values
  std::string_view unit;            // "ms", "tokens", "" …
  bool safe = false;                // may a repository's .ambit.toml set it?
  std::string_view meaning;
};

[[nodiscard]] std::span<const Setting> settings_table();
[[nodiscard]] const Setting* find_setting(std::string_view key);
[[nodiscard]] std::string to_string(const SettingValue& value);

// A value. Cheap enough to copy per session. Reading an unknown key is a bug (assert).
class Config {
 public:
  // Defaults only.
  Config();

  // Defaults, user file, environment. A missing file is fine; a broken one is kInvalidArgument with
  // file, line and what was expected.
  [[nodiscard]] static Result<Config> load();

  [[nodiscard]] bool flag(std::string_view key) const;
  [[nodiscard]] std::int64_t integer(std::string_view key) const;
  [[nodiscard]] double number(std::string_view key) const;
  [[nodiscard]] const std::string& text(std::string_view key) const;
  [[nodiscard]] const SettingValue& value(std::string_view key) const;
  // Who set it: "default", "/home/…/config.toml", "AMBIT_MODEL", "command line", "editor".
  [[nodiscard]] const std::string& origin(std::string_view key) const;

  // kNotFound for an unknown key, kInvalidArgument for a wrong type or range. Integers are taken
  // where a number is wanted; text is parsed where a flag or number is wanted (environment,
  // command line).
  [[nodiscard]] Result<void> set(std::string_view key, const SettingValue& value,
                                 std::string_view origin);

  // A copy with .ambit.toml of `root` on top. Keys that a repository may not set, unknown keys and
  // a broken file are left out and said in `notes`, one line each.
  [[nodiscard]] Config with_project(const std::filesystem::path& root,
                                    std::vector<std::string>& notes) const;
  // A copy with an editor's settings on top, flattened to dotted keys. Bad ones go to `notes`.
  [[nodiscard]] Config with_editor(const std::vector<std::pair<std::string, SettingValue>>& pairs,
                                   std::vector<std::string>& notes) const;

 private:
  struct Entry {
    SettingValue value;
    std::string origin;
  };
  [[nodiscard]] const Entry& entry(std::string_view key) const;
  std::map<std::string, Entry, std::less<>> entries_;
};

// All leaves of a TOML file as dotted keys. kNotFound when there is no file; kInvalidArgument with
// the line when it does not parse. (config_file.cpp)
[[nodiscard]] Result<std::vector<std::pair<std::string, SettingValue>>> read_toml(
    const std::filesystem::path& file);

// docs/configuration.md's table, and the same as JSON Schema.
[[nodiscard]] std::string settings_markdown();
[[nodiscard]] std::string settings_json_schema();

}  // namespace ambit::daemon
