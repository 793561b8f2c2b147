// Moves a function, class or type from one file to another, with the imports of everybody who uses
// it.
#pragma once

#include "daemon/assists/refactor/plan.h"
#include "indexer/index.h"

namespace ambit::daemon {

// Python, JavaScript and TypeScript modules, C and C++ (plan_c_move), Go (plan_go_move), Rust
// (plan_rust_move), Java; `to` may be new, but for source files of C and C++ and modules of Rust.
// `at_path`: the file that is meant when several define it. `notes` get what names it and stays
// as it is.
// kInvalidArgument, with the place, wherever it would not be exact: both files would need each
// other, somebody imports everything or reaches the name through the module, a name is taken.
// kUnsupported for other languages.
[[nodiscard]] Result<PlanStep> plan_move(const indexer::Snapshot& snapshot, const std::string& name,
                                         const std::string& at_path, const std::string& to,
                                         std::vector<std::string>& notes,
                                         std::stop_token stop = {});
// "move FILE to FILE" in Java, where that is its type: kInvalidArgument when it holds several.
[[nodiscard]] Result<PlanStep> plan_java_file_move(const indexer::Snapshot& snapshot,
                                                   const std::string& from, const std::string& to,
                                                   std::vector<std::string>& notes,
                                                   std::stop_token stop = {});

// Of Python, JavaScript and TypeScript; `symbol` stands at the top of its module.
[[nodiscard]] Result<PlanStep> plan_module_move(const indexer::Snapshot& snapshot,
                                                const indexer::Symbol& symbol,
                                                const std::string& to, std::stop_token stop);
// The same of a module with module.exports; other modules go to plan_module_move().
[[nodiscard]] Result<PlanStep> plan_common_js_move(const indexer::Snapshot& snapshot,
                                                   const indexer::Symbol& symbol,
                                                   const std::string& to, std::stop_token stop);

// From source to source or from header to header; that a program which links the one links the
// other too is not looked at. `symbol` has a body, and `to` is another file of the same family.
[[nodiscard]] Result<PlanStep> plan_c_move(const indexer::Snapshot& snapshot,
                                           const indexer::Symbol& symbol, const std::string& to);

// Within its package, where a method is named by its type too ("T.Method"), or to another package.
[[nodiscard]] Result<PlanStep> plan_go_move(const indexer::Snapshot& snapshot,
                                            const indexer::Symbol& symbol, const std::string& to);

// Within its crate, to a module that is there; the old module brings it in.
[[nodiscard]] Result<PlanStep> plan_rust_move(const indexer::Snapshot& snapshot,
                                              const indexer::Symbol& symbol, const std::string& to);

// A type at the top of a file, to a file of its own (`to` is new) in any package of its source
// folder.
[[nodiscard]] Result<PlanStep> plan_java_type_move(const indexer::Snapshot& snapshot,
                                                   const indexer::Symbol& symbol,
                                                   const std::string& to,
                                                   std::vector<std::string>& notes,
                                                   std::stop_token stop);
// A static method, to the class that the file `to` is named after.
[[nodiscard]] Result<PlanStep> plan_java_method_move(const indexer::Snapshot& snapshot,
                                                     const indexer::Symbol& symbol,
                                                     const std::string& to, std::stop_token stop);

}  // namespace ambit::daemon
