// Whether a call of Python fits a function: by position, by name, with defaults.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ambit::daemon::review {

// The parameters of a `def`, without self and cls. Views into the text that they were read from.
struct PythonParameters {
  struct One {
    std::string_view name;
    bool optional = false;    // has a default
    bool by_position = true;  // false behind `*`
    bool by_name = true;      // false in front of `/`
    friend bool operator==(const One&, const One&) = default;
  };
  std::vector<One> all;
  bool any_positions = false;  // *args
  bool any_names = false;      // **kwargs
  friend bool operator==(const PythonParameters&, const PythonParameters&) = default;
};
// The parenthesis of the `def` stands at `open` of what code_only() made; nullopt when it cannot be
// read.
[[nodiscard]] std::optional<PythonParameters> python_parameters(std::string_view code,
                                                                std::size_t open);

// What a call gives.
struct PythonArguments {
  int positions = 0;
  std::vector<std::string_view> names;
  bool more_positions = false;  // f(*rest)
  bool more_names = false;      // f(**rest)
};
[[nodiscard]] std::optional<PythonArguments> python_arguments(std::string_view code,
                                                              std::size_t open);

// "" when the call may fit; else what is wrong for sure: "passes mode=", "does not give path",
// "gives 3 arguments".
[[nodiscard]] std::string misfit(const PythonParameters& parameters,
                                 const PythonArguments& arguments);

// "(path, mode='r', *, strict)" without the defaults and annotations: "(path, mode=, *, strict)".
[[nodiscard]] std::string in_words(const PythonParameters& parameters);

}  // namespace ambit::daemon::review
