// The method sets of a repository's Go types, read package by package when they are asked for.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "daemon/assists/refactor/go_file.h"

namespace ambit::daemon {

struct GoMethod {
  std::string signature;  // "(int,[]byte)error": types without names, packages and blanks,
                          // with "?" for a type parameter
  std::string path;
  indexer::ByteSpan name;
  bool operator<(const GoMethod& o) const {
    return path != o.path ? path < o.path : name.begin < o.name.begin;
  }
};

struct GoType {
  std::string name, path;  // an interface without a name is called "interface"
  std::uint32_t line = 0;  // 0-based
  bool interface = false;
  std::map<std::string, GoMethod> own;
  std::vector<std::string> embedded;  // "T" of its package, "a/b.T" by its import path
  std::string package;                // of the map in GoTypes
};

// A type is said to be a type of another package: `var _ io.Reader = (*T)(nil)`.
struct GoAssertion {
  std::string interface, value;  // "a/b.I", and the words behind the "="
  std::string path;
  std::uint32_t line = 0;
};

class GoTypes {
 public:
  explicit GoTypes(const indexer::Snapshot& snapshot) : snapshot_(snapshot) {}

  using MethodSet = std::map<std::string, std::vector<GoMethod>>;  // by name
  // Reads the package that a file belongs to.
  void read_package_of(const std::string& path);
  [[nodiscard]] const std::deque<GoType>& types() const { return types_; }
  [[nodiscard]] const std::vector<GoAssertion>& assertions() const { return assertions_; }
  // Its methods with those of what it embeds; several of one name when they come from several.
  [[nodiscard]] MethodSet methods_of(const GoType& type);
  // Whether a package of the repository has this "a/b.T".
  [[nodiscard]] const GoType* find(const std::string& qualified);

 private:
  void read_file(const std::string& path);
  void read_method(const GoFile& file, std::uint32_t node);
  void read_struct(const GoFile& file, std::uint32_t node, GoType& type);
  void read_interface(const GoFile& file, std::uint32_t node, GoType& type);
  void read_assertion(const GoFile& file, std::uint32_t node);
  GoType& add_type(const GoFile& file, const std::string& name);
  GoType& type_named(const GoFile& file, const std::string& name);
  const GoType* find_embedded(const GoType& type, const std::string& name);
  void collect(const GoType& type, MethodSet& out, std::set<const GoType*>& seen);

  const indexer::Snapshot& snapshot_;
  std::deque<GoType> types_;  // references stay good while it grows
  std::map<std::string, std::map<std::string, GoType*>> packages_;  // by folder and name
  std::vector<GoAssertion> assertions_;
  std::set<std::string> folders_;
  std::map<std::string, std::string> folder_of_import_;
};

// "Read([]byte)int,error" of the interfaces that Go's own library asks for, and a few that everyone
// uses; empty for others.
struct KnownGoInterface {
  std::string_view name;     // "io.Reader"
  std::string_view methods;  // separated by ";"
};
[[nodiscard]] const std::vector<KnownGoInterface>& known_go_interfaces();
// Its methods by name; "" for an interface that is not known.
[[nodiscard]] std::map<std::string, std::string> known_go_methods(std::string_view name);

}  // namespace ambit::daemon
