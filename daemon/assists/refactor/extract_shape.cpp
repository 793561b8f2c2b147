#include "daemon/assists/refactor/extract_shape.h"

namespace ambit::daemon {

using indexer::Language;

const ExtractShape* extract_shape(Language language) {
  static const ExtractShape cpp{
      {"call_expression", "binary_expression", "unary_expression", "parenthesized_expression",
       "field_expression", "subscript_expression", "number_literal", "string_literal",
       "char_literal", "true", "false", "concatenated_string"},
      {"binary_expression", "unary_expression", "call_expression", "argument_list",
       "parenthesized_expression", "assignment_expression", "subscript_expression",
       "subscript_argument_list", "field_expression", "condition_clause", "init_declarator",
       "initializer_list"},
      {"return_statement", "expression_statement", "declaration", "if_statement",
       "switch_statement", "throw_statement", "for_range_loop"},
      {"compound_statement"},
      {"call_expression", "assignment_expression", "update_expression", "new_expression",
       "delete_expression", "co_await_expression", "throw_statement", "lambda_expression"}};
  static const ExtractShape python{{"call",
                                    "binary_operator",
                                    "comparison_operator",
                                    "not_operator",
                                    "unary_operator",
                                    "boolean_operator",
                                    "attribute",
                                    "subscript",
                                    "list",
                                    "tuple",
                                    "dictionary",
                                    "set",
                                    "string",
                                    "integer",
                                    "float",
                                    "parenthesized_expression",
                                    "conditional_expression",
                                    "true",
                                    "false",
                                    "list_comprehension",
                                    "dictionary_comprehension",
                                    "set_comprehension",
                                    "await"},
                                   {"call",
                                    "argument_list",
                                    "keyword_argument",
                                    "binary_operator",
                                    "comparison_operator",
                                    "not_operator",
                                    "unary_operator",
                                    "boolean_operator",
                                    "attribute",
                                    "subscript",
                                    "list",
                                    "tuple",
                                    "dictionary",
                                    "pair",
                                    "set",
                                    "parenthesized_expression",
                                    "assignment",
                                    "augmented_assignment",
                                    "expression_list",
                                    "await",
                                    "interpolation",
                                    "string",
                                    "slice"},
                                   {"expression_statement", "return_statement", "if_statement",
                                    "raise_statement", "for_statement"},
                                   {"block", "module"},
                                   {"call", "await", "yield", "named_expression",
                                    "augmented_assignment", "subscript", "attribute"}};
  static const ExtractShape script{
      {"call_expression", "binary_expression", "unary_expression", "member_expression",
       "subscript_expression", "new_expression", "template_string", "string", "number", "array",
       "object", "parenthesized_expression", "ternary_expression", "await_expression", "true",
       "false", "regex", "arrow_function", "function_expression"},
      {"call_expression",
       "arguments",
       "binary_expression",
       "unary_expression",
       "member_expression",
       "subscript_expression",
       "new_expression",
       "template_string",
       "template_substitution",
       "array",
       "object",
       "pair",
       "parenthesized_expression",
       "assignment_expression",
       "variable_declarator",
       "await_expression",
       "spread_element",
       "as_expression",
       "satisfies_expression",
       "non_null_expression"},
      {"expression_statement", "return_statement", "if_statement", "throw_statement",
       "lexical_declaration", "variable_declaration", "switch_statement", "for_in_statement"},
      {"statement_block", "program"},
      {"call_expression", "assignment_expression", "augmented_assignment_expression",
       "update_expression", "new_expression", "await_expression", "yield_expression",
       "member_expression", "subscript_expression"}};
  static const ExtractShape java{
      {"method_invocation", "binary_expression", "unary_expression", "field_access", "array_access",
       "object_creation_expression", "parenthesized_expression", "string_literal",
       "decimal_integer_literal", "decimal_floating_point_literal", "character_literal",
       "instanceof_expression"},
      {"method_invocation", "argument_list", "binary_expression", "unary_expression",
       "field_access", "array_access", "object_creation_expression", "parenthesized_expression",
       "assignment_expression", "variable_declarator"},
      {"return_statement", "expression_statement", "local_variable_declaration", "if_statement",
       "throw_statement", "enhanced_for_statement"},
      {"block"},
      {"method_invocation", "assignment_expression", "update_expression",
       "object_creation_expression", "array_access", "field_access"}};
  static const ExtractShape go{
      {"call_expression", "binary_expression", "selector_expression", "index_expression",
       "composite_literal", "parenthesized_expression", "slice_expression",
       "interpreted_string_literal", "func_literal"},
      {"call_expression", "argument_list", "binary_expression", "unary_expression",
       "selector_expression", "index_expression", "parenthesized_expression", "expression_list",
       "slice_expression"},
      {"return_statement", "expression_statement", "short_var_declaration", "assignment_statement",
       "if_statement", "send_statement"},
      {"block", "statement_list"},
      {"call_expression", "index_expression", "receive_expression", "selector_expression"}};
  static const ExtractShape rust{
      {"call_expression", "binary_expression", "unary_expression", "parenthesized_expression",
       "integer_literal", "float_literal", "string_literal", "char_literal", "boolean_literal",
       "type_cast_expression", "tuple_expression", "struct_expression"},
      {"call_expression", "arguments", "binary_expression", "unary_expression",
       "parenthesized_expression", "tuple_expression", "type_cast_expression", "try_expression",
       "assignment_expression", "return_expression", "field_initializer", "field_initializer_list",
       "struct_expression"},
      {"expression_statement", "let_declaration"},
      {"block"},
      {"call_expression", "macro_invocation", "assignment_expression", "compound_assignment_expr",
       "index_expression", "await_expression", "try_expression"}};
  switch (language) {
    case Language::kCpp:
      return &cpp;
    case Language::kPython:
      return &python;
    case Language::kJavaScript:
    case Language::kTypeScript:
    case Language::kTsx:
      return &script;
    case Language::kJava:
      return &java;
    case Language::kGo:
      return &go;
    case Language::kRust:
      return &rust;
    default:
      return nullptr;
  }
}

}  // namespace ambit::daemon
