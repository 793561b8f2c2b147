#include "indexer/syntax/grammars.h"

#include <tree_sitter/api.h>

#include <algorithm>
#include <mutex>

#include "indexer/syntax/rules.h"

extern "C" {
const TSLanguage* tree_sitter_c(void);
const TSLanguage* tree_sitter_cpp(void);
const TSLanguage* tree_sitter_python(void);
const TSLanguage* tree_sitter_javascript(void);
const TSLanguage* tree_sitter_typescript(void);
const TSLanguage* tree_sitter_tsx(void);
const TSLanguage* tree_sitter_rust(void);
const TSLanguage* tree_sitter_go(void);
const TSLanguage* tree_sitter_java(void);
const TSLanguage* tree_sitter_c_sharp(void);
const TSLanguage* tree_sitter_ruby(void);
const TSLanguage* tree_sitter_php(void);
const TSLanguage* tree_sitter_kotlin(void);
const TSLanguage* tree_sitter_swift(void);
const TSLanguage* tree_sitter_scala(void);
const TSLanguage* tree_sitter_bash(void);
const TSLanguage* tree_sitter_lua(void);
const TSLanguage* tree_sitter_json(void);
const TSLanguage* tree_sitter_yaml(void);
const TSLanguage* tree_sitter_toml(void);
const TSLanguage* tree_sitter_html(void);
const TSLanguage* tree_sitter_css(void);
const TSLanguage* tree_sitter_markdown(void);
const TSLanguage* tree_sitter_sql(void);
const TSLanguage* tree_sitter_hcl(void);
const TSLanguage* tree_sitter_zig(void);
const TSLanguage* tree_sitter_elixir(void);
}

namespace ambit::indexer {
namespace {

using GrammarFunction = const TSLanguage* (*)();
constexpr std::array<GrammarFunction, kLanguageCount> kGrammars{
    nullptr,
    tree_sitter_c,
    tree_sitter_cpp,
    tree_sitter_cpp,
    tree_sitter_python,
    tree_sitter_javascript,
    tree_sitter_typescript,
    tree_sitter_tsx,
    tree_sitter_rust,
    tree_sitter_go,
    tree_sitter_java,
    tree_sitter_c_sharp,
    tree_sitter_ruby,
    tree_sitter_php,
    tree_sitter_kotlin,
    tree_sitter_swift,
    tree_sitter_scala,
    tree_sitter_bash,
    tree_sitter_lua,
    tree_sitter_json,
    tree_sitter_yaml,
    tree_sitter_toml,
    tree_sitter_html,
    tree_sitter_css,
    tree_sitter_markdown,
    tree_sitter_sql,
    tree_sitter_hcl,
    tree_sitter_zig,
    tree_sitter_elixir,
};

class Compiler {
 public:
  Compiler(Grammar& g, const RuleFile& file) : g_(g), file_(file) {}

  bool run() {
    const auto types = ts_language_symbol_count(g_.language);
    g_.types.resize(types);
    // Several ids may carry one name (aliases, hidden variants): a rule means them all.
    for (std::uint32_t t = 0; t < types; ++t) {
      if (ts_language_symbol_type(g_.language, static_cast<TSSymbol>(t)) == TSSymbolTypeRegular) {
        names_.emplace_back(ts_language_symbol_name(g_.language, static_cast<TSSymbol>(t)),
                            static_cast<NodeType>(t));
      }
    }
    for (std::uint32_t t = 0; t < types; ++t) {
      g_.types[t].token =
          ts_language_symbol_type(g_.language, static_cast<TSSymbol>(t)) == TSSymbolTypeAnonymous;
    }
    std::sort(names_.begin(), names_.end());
    g_.no_names.insert("_");
    for (const auto& s : file_.settings) {
      if (!setting(s)) return false;
    }
    for (const auto& p : file_.patterns) {
      if (!pattern(p)) return false;
    }
    if (g_.bodies.empty()) g_.bodies.push_back({field("body")});
    return g_.error.empty();
  }

 private:
  bool fail(std::string message) {
    if (g_.error.empty()) g_.error = std::move(message);
    return false;
  }
  [[nodiscard]] FieldId field(std::string_view name) const {
    return ts_language_field_id_for_name(g_.language, name.data(),
                                         static_cast<std::uint32_t>(name.size()));
  }
  bool types(const std::string& name, std::vector<NodeType>& out) {
    bool found = false;
    for (auto it = std::lower_bound(names_.begin(), names_.end(), name,
                                    [](const auto&e, const std::string&n) { return e.first < n; });
         it != names_.end() && it->first == name; ++it) {
      out.push_back(it->second);
      found = true;
    }
    return found || fail("unknown node type " + name);
  }
  bool each_type(const std::vector<std::string>& words, auto&& f) {
    for (const auto& w : words) {
      std::vector<NodeType> ids;
      if (!types(w, ids)) return false;
      for (const auto t : ids) f(t);
    }
    return true;
  }
  bool setting(const RuleSetting& s) {
    auto& t = g_.types;
    if (s.name == "#comment") {
      return each_type(s.words, [&](NodeType x) { t[x].comment = true; });
    }
    if (s.name == "#wrapper") {
      return each_type(s.words, [&](NodeType x) { t[x].wrapper = true; });
    }
    if (s.name == "#wrapper-single") {
      return each_type(s.words, [&](NodeType x) { t[x].wrapper = t[x].wrapper_single = true; });
    }
    if (s.name == "#locals") {
      return each_type(s.words, [&](NodeType x) { t[x].locals = true; });
    }
    if (s.name == "#text") {
      return each_type(s.words, [&](NodeType x) { t[x].text = true; });
    }
    if (s.name == "#docstring") {
      return each_type(s.words, [&](NodeType x) { g_.docstring.push_back(x); });
    }
    if (s.name == "#public-if") {
      return each_type(s.words, [&](NodeType x) { g_.public_if.push_back(x); });
    }
    if (s.name == "#through" && s.words.size() == 2) {
      const auto id = s.words[1] == "_" ? kAnyField : field(s.words[1]);
      if (s.words[1] != "_" && id == 0) return fail("unknown field " + s.words[1]);
      return each_type({s.words[0]}, [&](NodeType x) {
        if (s.words[1] == "_") {
          t[x].through_any = true;
        } else {
          t[x].through.push_back(id);
        }
      });
    }
    if (s.name == "#private-if" && s.words.size() == 2) {
      return each_type({s.words[0]},
                       [&](NodeType x) { g_.private_if.emplace_back(x, s.words[1]); });
    }
    if (s.name == "#private-prefix" && s.words.size() == 1) {
      g_.private_prefix = s.words[0];
      return true;
    }
    if (s.name == "#no-name") {
      g_.no_names.insert(s.words.begin(), s.words.end());
      return true;
    }
    if (s.name == "#brace-blocks") return g_.brace_blocks = true;
    if (s.name == "#public-uppercase") {
      g_.public_uppercase = true;
      return true;
    }
    if (s.name == "#body") {
      for (const auto& path : s.words) {
        std::vector<FieldId> ids;
        for (std::size_t at = 0; at <= path.size();) {
          const auto dot = std::min(path.find('.', at), path.size());
          const auto name = path.substr(at, dot - at);
          const auto id = field(name);
          if (id == 0) return fail("unknown field " + name);
          ids.push_back(id);
          at = dot + 1;
        }
        g_.bodies.push_back(std::move(ids));
      }
      return true;
    }
    return fail("unknown setting " + s.name);
  }
  static bool holds_name(const RuleNode& n) {
    return n.name || std::any_of(n.children.begin(), n.children.end(),
                                 [](const auto& c) { return holds_name(c); });
  }
  bool step_types(const RuleNode& n, std::vector<NodeType>& out) {
    for (const auto& t : n.types) {
      if (t != "_" && !types(t, out)) return false;
    }
    return true;
  }
  bool pattern(const RulePattern& rule) {
    const auto where = " (line " + std::to_string(rule.line + 1) + ")";
    Pattern p;
    bool said = false;
    std::vector<const RuleNode*> chain;  // from the outer node to the name
    for (const RuleNode* n = &rule.root; n != nullptr;) {
      chain.push_back(n);
      const RuleNode* next = nullptr;
      for (const auto& c : n->children) {
        if (next == nullptr && !n->name && holds_name(c)) next = &c;
      }
      n = next;
    }
    if (!chain.back()->name) return fail("no @name" + where);
    for (std::size_t i = 0; i < chain.size(); ++i) {
      const auto* n = chain[chain.size() - 1 - i];
      Step s;
      if (!n->field.empty() && (s.field = field(n->field)) == 0) {
        return fail("unknown field " + n->field + where);
      }
      if (!step_types(*n, s.types)) return fail(g_.error + where);
      p.steps.push_back(std::move(s));
      if (!n->meaning.empty()) {
        if (said) return fail("two meanings" + where);
        said = true;
        p.outer = static_cast<std::uint8_t>(i);
        if (!meaning(n->meaning, p)) return fail("unknown capture @" + n->meaning + where);
      }
      for (const auto& c : n->children) {
        if (i > 0 && &c == chain[chain.size() - i]) continue;
        Condition condition;
        condition.step = static_cast<std::uint8_t>(i);
        if (!c.field.empty() && (condition.field = field(c.field)) == 0) {
          return fail("unknown field " + c.field + where);
        }
        if (!step_types(c, condition.types)) return fail(g_.error + where);
        for (const auto& [capture, text] : rule.equal) {
          if (capture == c.capture) condition.text = text;
        }
        p.conditions.push_back(std::move(condition));
      }
      if (i == 0) {
        for (const auto& [capture, text] : rule.equal) {
          if (capture == "name") p.conditions.push_back({0, 0xFFFF, {}, text});
        }
      }
    }
    if (!said) return fail("nothing says what the name is" + where);
    if (p.steps[0].types.empty()) return fail("the name cannot be (_)" + where);
    const auto index = static_cast<std::uint16_t>(g_.patterns.size());
    for (const auto t : p.steps[0].types) g_.types[t].patterns.push_back(index);
    g_.patterns.push_back(std::move(p));
    return true;
  }
  static bool meaning(std::string_view capture, Pattern& p) {
    const auto dot = capture.find('.');
    const auto head = capture.substr(0, dot);
    const auto tail = dot == std::string_view::npos ? std::string_view{} : capture.substr(dot + 1);
    if (head == "definition" || head == "declaration") {
      p.meaning = head == "definition" ? Meaning::kDefinition : Meaning::kDeclaration;
      for (int k = 0; k <= static_cast<int>(SymbolKind::kSection); ++k) {
        if (to_string(static_cast<SymbolKind>(k)) == tail) {
          p.kind = static_cast<SymbolKind>(k);
          return true;
        }
      }
      return false;
    }
    if (head == "reference") {
      p.meaning = Meaning::kReference;
      for (int k = 0; k <= static_cast<int>(ReferenceKind::kOther); ++k) {
        if (to_string(static_cast<ReferenceKind>(k)) == tail) {
          p.reference = static_cast<ReferenceKind>(k);
          return true;
        }
      }
      return false;
    }
    constexpr std::pair<std::string_view, Meaning> kOthers[] = {{"local", Meaning::kLocal},
                                                                {"import", Meaning::kImport},
                                                                {"owner", Meaning::kOwner},
                                                                {"scope", Meaning::kScope},
                                                                {"ignore", Meaning::kIgnore}};
    for (const auto& [word, m] : kOthers) {
      if (capture == word) {
        p.meaning = m;
        return true;
      }
    }
    return false;
  }

  Grammar& g_;
  const RuleFile& file_;
  std::vector<std::pair<std::string, NodeType>> names_;
};

}  // namespace

const Grammar* grammar_of(Language language) {
  static std::array<std::once_flag, kLanguageCount> once;
  static std::array<Grammar, kLanguageCount> grammars;
  const auto i = static_cast<std::size_t>(language);
  if (i >= kLanguageCount || kGrammars[i] == nullptr) return nullptr;
  std::call_once(once[i], [&] {
    auto& g = grammars[i];
    g.language = kGrammars[i]();
    const auto abi = ts_language_abi_version(g.language);
    if (abi < TREE_SITTER_MIN_COMPATIBLE_LANGUAGE_VERSION || abi > TREE_SITTER_LANGUAGE_VERSION) {
      g.error = "grammar ABI " + std::to_string(abi) + " does not fit the tree-sitter core";
      return;
    }
    auto file = parse_rules(rules_text(language_info(language).rules));
    if (!file) {
      g.error = file.error().message;
      return;
    }
    Compiler(g, *file).run();
  });
  return &grammars[i];
}

}  // namespace ambit::indexer
