// What passes between a function and the one that an extraction makes of a part of it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/assists/refactor/refusal.h"
#include "indexer/syntax/tree.h"

namespace ambit::daemon {

struct Handover {
  std::string parameters, arguments;    // as they stand between the brackets
  std::string returned, returned_type;  // the variable that comes back; "" when none does
  bool declares = false;                // it is the selection that declares it

  void pass(const std::string& parameter, const std::string& argument) {
    parameters += (parameters.empty() ? "" : ", ") + parameter;
    arguments += (arguments.empty() ? "" : ", ") + argument;
  }
  // kInvalidArgument for a second one.
  Result<void> give_back(const std::string& name, const std::string& type, bool declared_inside) {
    if (!returned.empty()) {
      return no("more than one variable is used afterwards: " + returned + ", " + name);
    }
    returned = name;
    returned_type = type;
    declares = declared_inside;
    return {};
  }
};

// Where the variables of a function are used, in the order in which they come.
struct VariableUses {
  struct Use {
    bool inside = false, after = false;  // in the selection, behind it
    bool set = false;                    // in the selection
  };
  std::map<std::string_view, Use> of;
  std::vector<std::string_view> order;

  void note(std::string_view name, indexer::ByteSpan at, indexer::ByteSpan selection, bool set) {
    const auto [it, fresh] = of.try_emplace(name);
    if (fresh) order.push_back(name);
    if (selection.begin <= at.begin && at.end <= selection.end) {
      it->second.inside = true;
      it->second.set = it->second.set || set;
    } else if (at.begin >= selection.end) {
      it->second.after = true;
    }
  }
};

}  // namespace ambit::daemon
