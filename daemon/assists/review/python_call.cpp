#include "daemon/assists/review/python_call.h"

#include <algorithm>

#include "daemon/assists/review/lexical.h"

namespace ambit::daemon::review {
namespace {

std::string_view leading_word(std::string_view piece) {
  std::size_t end = 0;
  while (end < piece.size() && is_word(piece[end])) ++end;
  return piece.substr(0, end);
}

// The '=' of a default or of a named argument, at the piece's own level; npos without.
std::size_t equals_sign(std::string_view piece) {
  int depth = 0;
  for (std::size_t i = 0; i < piece.size(); ++i) {
    const char c = piece[i];
    if (c == '(' || c == '[' || c == '{') ++depth;
    if (c == ')' || c == ']' || c == '}') --depth;
    if (c != '=' || depth != 0) continue;
    const char before = i > 0 ? piece[i - 1] : ' ';
    const char after = i + 1 < piece.size() ? piece[i + 1] : ' ';
    if (after == '=') {
      ++i;
    } else if (before != '!' && before != '<' && before != '>' && before != ':') {
      return i;
    }
  }
  return std::string_view::npos;
}

}  // namespace

std::optional<PythonParameters> python_parameters(std::string_view code, std::size_t open) {
  const auto list = split_list(code, open);
  if (!list) return std::nullopt;
  PythonParameters out;
  bool by_position = true;
  for (std::size_t i = 0; i < list->pieces.size(); ++i) {
    const auto piece = list->pieces[i];
    if (piece == "/") {
      for (auto& p : out.all) p.by_name = false;
      continue;
    }
    if (piece.starts_with("**")) {
      out.any_names = true;
      continue;
    }
    if (piece.starts_with('*')) {
      out.any_positions = piece.size() > 1;
      by_position = false;
      continue;
    }
    const auto name = leading_word(piece);
    if (name.empty()) return std::nullopt;
    if (i == 0 && (name == "self" || name == "cls")) continue;
    out.all.push_back({name, equals_sign(piece) != std::string_view::npos, by_position, true});
  }
  return out;
}

std::optional<PythonArguments> python_arguments(std::string_view code, std::size_t open) {
  const auto list = split_list(code, open);
  if (!list) return std::nullopt;
  PythonArguments out;
  for (const auto piece : list->pieces) {
    if (piece.empty()) return std::nullopt;
    if (piece.starts_with("**")) {
      out.more_names = true;
    } else if (piece.starts_with('*')) {
      out.more_positions = true;
    } else if (const auto at = equals_sign(piece); at != std::string_view::npos) {
      const auto name = leading_word(piece);
      if (name.empty() ||
          piece.substr(name.size(), at - name.size()).find_first_not_of(" \t\r\n") !=
              std::string_view::npos) {
        // `lambda x=1: x` and the like: one argument by position.
        ++out.positions;
      } else {
        out.names.push_back(name);
      }
    } else {
      ++out.positions;
    }
  }
  return out;
}

std::string misfit(const PythonParameters& parameters, const PythonArguments& arguments) {
  const auto& all = parameters.all;
  for (const auto name : arguments.names) {
    const auto it = std::find_if(all.begin(), all.end(),
                                 [&](const auto& p) { return p.name == name && p.by_name; });
    if (it == all.end() && !parameters.any_names) return "passes " + std::string(name) + "=";
  }
  const auto most =
      std::count_if(all.begin(), all.end(), [](const auto& p) { return p.by_position; });
  if (!parameters.any_positions && arguments.positions > most) {
    return "gives " + std::to_string(arguments.positions) +
           (arguments.positions == 1 ? " argument" : " arguments") +
           (most == static_cast<std::ptrdiff_t>(all.size()) ? "" : " by position");
  }
  int position = 0;
  for (const auto& p : all) {
    const bool by_position = p.by_position && position++ < arguments.positions;
    const bool named =
        std::find(arguments.names.begin(), arguments.names.end(), p.name) != arguments.names.end();
    if (by_position && named && p.by_name) return "gives " + std::string(p.name) + " twice";
    const bool perhaps =
        (p.by_position && arguments.more_positions) || (p.by_name && arguments.more_names);
    if (!p.optional && !by_position && !named && !perhaps) {
      return "does not give " + std::string(p.name);
    }
  }
  return "";
}

std::string in_words(const PythonParameters& parameters) {
  std::string out = "(";
  const auto add = [&](const std::string& piece) {
    if (out.size() > 1) out += ", ";
    out += piece;
  };
  bool positions = true, names = true;
  for (std::size_t i = 0; i < parameters.all.size(); ++i) {
    const auto& p = parameters.all[i];
    if (!names && p.by_name) add("/");
    names = p.by_name;
    if (positions && !p.by_position) add(parameters.any_positions ? "*args" : "*");
    positions = p.by_position;
    add(std::string(p.name) + (p.optional ? "=" : ""));
  }
  if (!names) add("/");
  if (positions && parameters.any_positions) add("*args");
  if (parameters.any_names) add("**kwargs");
  return out + ")";
}

}  // namespace ambit::daemon::review
