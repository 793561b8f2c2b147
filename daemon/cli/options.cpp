#include "daemon/cli/options.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace ambit::daemon {

Options::Options(std::string_view command, std::string_view usage, std::string_view summary)
    : command_(command), usage_(usage), summary_(summary) {}

Options::Option& Options::add(std::string_view name, Kind kind, std::string_view help) {
  Option& option = options_.emplace_back();
  option.name = name;
  option.kind = kind;
  option.help = help;
  return option;
}

bool& Options::flag(std::string_view name, std::string_view help) {
  return add(name, Kind::kFlag, help).flag;
}

std::string& Options::text(std::string_view name, std::string_view fallback,
                           std::string_view value_name, std::string_view help) {
  Option& option = add(name, Kind::kText, help);
  option.value_name = value_name;
  option.text = fallback;
  return option.text;
}

std::int64_t& Options::integer(std::string_view name, std::int64_t fallback, std::int64_t minimum,
                               std::int64_t maximum, std::string_view help) {
  Option& option = add(name, Kind::kInteger, help);
  option.value_name = "N";
  option.integer = fallback;
  option.minimum = minimum;
  option.maximum = maximum;
  return option.integer;
}

std::string& Options::choice(std::string_view name, std::string_view fallback,
                             std::vector<std::string> values, std::string_view help) {
  Option& option = add(name, Kind::kChoice, help);
  option.text = fallback;
  option.values = std::move(values);
  for (const auto& value : option.values) {
    option.value_name += (option.value_name.empty() ? "" : "|") + value;
  }
  return option.text;
}

std::string& Options::positional(std::string_view name, Need need) {
  return words_.emplace_back(Word{std::string(name), "", need}).text;
}

std::vector<std::string>& Options::rest(std::string_view name, Need need) {
  rest_name_ = name;
  rest_need_ = need;
  return rest_;
}

std::optional<std::string> Options::set(Option& option, std::string_view value) {
  option.given = true;
  switch (option.kind) {
    case Kind::kFlag:
      return option.name + " takes no value";
    case Kind::kText:
      option.text = value;
      return std::nullopt;
    case Kind::kChoice:
      if (std::find(option.values.begin(), option.values.end(), value) == option.values.end()) {
        return option.name + " must be one of " + option.value_name + ", not '" +
               std::string(value) + "'";
      }
      option.text = value;
      return std::nullopt;
    case Kind::kInteger: {
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
      if (error != std::errc{} || end != value.data() + value.size() || number < option.minimum ||
          number > option.maximum) {
        return option.name + " must be a whole number from " + std::to_string(option.minimum) +
               " to " + std::to_string(option.maximum) + ", not '" + std::string(value) + "'";
      }
      option.integer = number;
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<int> Options::parse(const Arguments& arguments) {
  auto word = words_.begin();
  bool options_ended = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!options_ended && argument == "--") {
      options_ended = true;
      continue;
    }
    if (!options_ended && (argument == "--help" || argument == "-h")) {
      std::fputs(help().c_str(), stdout);
      return kExitDone;
    }
    if (!options_ended && argument.size() > 1 && argument.front() == '-') {
      const std::size_t equals = argument.find('=');
      const std::string name = argument.substr(0, equals);
      const auto found = std::find_if(options_.begin(), options_.end(),
                                      [&](const Option& o) { return o.name == name; });
      if (found == options_.end()) return usage_error("there is no option " + name);
      if (found->kind == Kind::kFlag && equals == std::string::npos) {
        found->flag = found->given = true;
        continue;
      }
      if (equals == std::string::npos && i + 1 == arguments.size()) {
        return usage_error(name + " needs a value (" + found->value_name + ")");
      }
      const std::string value =
          equals == std::string::npos ? arguments[++i] : argument.substr(equals + 1);
      if (auto problem = set(*found, value)) return usage_error(*problem);
      continue;
    }
    if (word != words_.end()) {
      (word++)->text = argument;
    } else if (!rest_name_.empty()) {
      rest_.push_back(argument);
    } else {
      return usage_error("'" + argument + "' is one word too many");
    }
  }
  if (word != words_.end() && word->need == kRequired)
    return usage_error(word->name + " is missing");
  if (!rest_name_.empty() && rest_need_ == kRequired && rest_.empty()) {
    return usage_error(rest_name_ + " is missing");
  }
  return std::nullopt;
}

bool Options::given(std::string_view name) const {
  return std::any_of(options_.begin(), options_.end(),
                     [&](const Option& o) { return o.name == name && o.given; });
}

int Options::usage_error(std::string_view problem) const {
  std::fprintf(stderr, "ambit %s: %.*s\nusage: ambit %s %s\n", command_.c_str(),
               static_cast<int>(problem.size()), problem.data(), command_.c_str(), usage_.c_str());
  return kExitUsage;
}

std::string Options::help() const {
  std::string out = "usage: ambit " + command_ + " " + usage_ + "\n\n" + summary_ + "\n";
  if (!options_.empty()) out += "\n";
  for (const Option& option : options_) {
    std::string left = "  " + option.name;
    if (!option.value_name.empty()) left += " " + option.value_name;
    if (left.size() < 30) left.resize(30, ' ');
    out += left + "  " + option.help;
    if (option.kind == Kind::kInteger) {
      out += " (default " + std::to_string(option.integer) + ")";
    } else if (option.kind == Kind::kChoice && !option.text.empty()) {
      out += " (default " + option.text + ")";
    }
    out += "\n";
  }
  return out;
}

}  // namespace ambit::daemon
