// Options of one command: declared once, parsed once, and the source of its help text.
//
//   Options options("complete", "FILE:LINE:COL", "Complete at a position.");
//   auto& json = options.flag("--json", "print one JSON document");
//   auto& count = options.integer("--n", 1, 1, 16, "how many items");
//   auto& where = options.positional("FILE:LINE:COL", Options::kRequired);
//   if (auto done = options.parse(arguments)) return *done;
//
// Values are references into the Options object, filled by parse(). `--name value` and
// `--name=value` are both understood; `--` ends the options.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/cli/command.h"

namespace ambit::daemon {

class Options {
 public:
  enum Need { kOptional, kRequired };

  Options(std::string_view command, std::string_view usage, std::string_view summary);

  bool& flag(std::string_view name, std::string_view help);
  std::string& text(std::string_view name, std::string_view fallback, std::string_view value_name,
                    std::string_view help);
  std::int64_t& integer(std::string_view name, std::int64_t fallback, std::int64_t minimum,
                        std::int64_t maximum, std::string_view help);
  std::string& choice(std::string_view name, std::string_view fallback,
                      std::vector<std::string> values, std::string_view help);
  // One word, in the order of declaration.
  std::string& positional(std::string_view name, Need need);
  // All words that are left.
  std::vector<std::string>& rest(std::string_view name, Need need);

  // nullopt: go on. Otherwise the exit code: help was asked for, or the usage is wrong (said on
  // stderr).
  [[nodiscard]] std::optional<int> parse(const Arguments& arguments);
  // A usage error found by the command itself: printed like those of parse().
  [[nodiscard]] int usage_error(std::string_view problem) const;
  [[nodiscard]] std::string help() const;
  // Was the option given on this command line?
  [[nodiscard]] bool given(std::string_view name) const;

 private:
  enum class Kind { kFlag, kText, kInteger, kChoice };
  struct Option {
    std::string name, value_name, help;
    Kind kind = Kind::kFlag;
    bool flag = false;
    std::string text;
    std::int64_t integer = 0, minimum = 0, maximum = 0;
    std::vector<std::string> values;
    bool given = false;
  };
  struct Word {
    std::string name, text;
    Need need;
  };
  Option& add(std::string_view name, Kind kind, std::string_view help);
  [[nodiscard]] std::optional<std::string> set(Option& option, std::string_view value);

  std::string command_, usage_, summary_;
  std::deque<Option> options_;  // a deque keeps references valid
  std::deque<Word> words_;
  std::vector<std::string> rest_;
  std::string rest_name_;
  Need rest_need_ = kOptional;
};

}  // namespace ambit::daemon
