// The published meta model of LSP 3.18 as a validator of whole JSON-RPC messages.
//
// Stricter than a client needs to be: a property that the specification does not name is a
// violation too, because on our side it is a spelling mistake. Immutable after load(): any thread.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/support/result.h"

namespace ambit::testing {

enum class Sender { kClient, kServer };

// Where and what, as in "params.range.end.line: -1 is below 0".
using Violation = std::optional<std::string>;

class MetaModel {
 public:
  // kNotFound when the file is not there (skip the test), kCorrupt when it cannot be used.
  [[nodiscard]] static Result<MetaModel> load(const std::string& path);
  // The meta model of the design folder beside the checkout.
  [[nodiscard]] static std::string default_path();

  // The first violation in a message, or nullopt. Replies need the method of the request that they
  // answer. Methods that start with "ambit/" are our own: of those only the JSON-RPC part is
  // checked.
  [[nodiscard]] Violation check(Sender sender, const nlohmann::json& message,
                                std::string_view answered_method = {}) const;
  // A value against a structure, enumeration or alias by name, as in "Range".
  [[nodiscard]] Violation check_type(std::string_view name, const nlohmann::json& value) const;
  [[nodiscard]] bool knows_method(std::string_view method) const;

 private:
  struct Finding {
    std::string path;
    std::string what;
    int depth = 0;  // how far into the value: of several alternatives the deepest one was meant
  };
  using Found = std::optional<Finding>;
  using Properties = std::map<std::string, const nlohmann::json*, std::less<>>;
  using Names = std::map<std::string, const nlohmann::json*, std::less<>>;

  [[nodiscard]] Found type(const nlohmann::json& t, const nlohmann::json& v,
                           const std::string& path, int depth) const;
  [[nodiscard]] Found reference(const std::string& name, const nlohmann::json& v,
                                const std::string& path, int depth) const;
  [[nodiscard]] Found object(const Properties& properties, const nlohmann::json& v,
                             const std::string& path, int depth) const;
  void collect(const nlohmann::json& t, Properties& into) const;
  [[nodiscard]] Found params(const nlohmann::json& method, const nlohmann::json& message) const;
  [[nodiscard]] Violation reply(const nlohmann::json& message, Sender sender,
                                std::string_view answered_method) const;

  std::shared_ptr<const nlohmann::json> root_;  // what the pointers below point into
  Names requests_, notifications_, structures_, enumerations_, aliases_;
};

}  // namespace ambit::testing
