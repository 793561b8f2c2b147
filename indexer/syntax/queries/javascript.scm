; JavaScript and JSX
(#comment comment)
(#wrapper export_statement)
(#public-if export_statement)
(#wrapper-single lexical_declaration variable_declaration)
(#locals function_declaration generator_function_declaration function_expression arrow_function method_definition statement_block)
(#body body value.body)

(class_declaration name: (identifier) @name) @definition.class
(class name: (identifier) @name) @definition.class
(function_declaration name: (identifier) @name) @definition.function
(generator_function_declaration name: (identifier) @name) @definition.function
(method_definition name: (property_identifier) @n name: (property_identifier) @name (#eq? @n "constructor")) @definition.constructor
(method_definition name: [(property_identifier) (private_property_identifier) (string)] @name) @definition.method
(field_definition property: [(property_identifier) (private_property_identifier)] @name) @definition.field
(variable_declarator name: (identifier) @name value: [(arrow_function) (function_expression) (generator_function)]) @definition.function
(variable_declarator name: (identifier) @name value: (class)) @definition.class
(variable_declarator name: (identifier) @name) @definition.variable
(variable_declarator name: (object_pattern (shorthand_property_identifier_pattern) @name)) @definition.variable
(variable_declarator name: (array_pattern (identifier) @name)) @definition.variable
(object_pattern (shorthand_property_identifier_pattern) @name) @local
(pair key: [(property_identifier) (string)] @name value: [(arrow_function) (function_expression)]) @definition.method
(program (lexical_declaration (variable_declarator value: (object (pair key: (property_identifier) @name) @definition.property))))
(export_statement (lexical_declaration (variable_declarator value: (object (pair key: (property_identifier) @name) @definition.property))))
(assignment_expression left: (member_expression property: (property_identifier) @name)
  right: [(arrow_function) (function_expression)]) @definition.function
(formal_parameters (identifier) @name) @local
(formal_parameters (assignment_pattern left: (identifier) @name)) @local
(formal_parameters (rest_pattern (identifier) @name)) @local
(arrow_function parameter: (identifier) @name) @local
(catch_clause parameter: (identifier) @name) @local
(for_in_statement left: (identifier) @name) @local

(import_statement source: (string) @name) @import
(export_statement source: (string) @name) @import
(call_expression function: (identifier) @f arguments: (arguments (string) @name) (#eq? @f "require")) @import
(call_expression function: (import) arguments: (arguments (string) @name)) @import
(import_specifier (identifier) @name) @reference.import
(import_clause (identifier) @name) @reference.import
(namespace_import (identifier) @name) @reference.import
(export_specifier name: (identifier) @name) @reference.import
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (member_expression property: (property_identifier) @name)) @reference.call
(new_expression constructor: (identifier) @name) @reference.call
(new_expression constructor: (member_expression property: (property_identifier) @name)) @reference.call
(class_heritage (identifier) @name) @reference.inherit
(assignment_expression left: (identifier) @name) @reference.write
(assignment_expression left: (member_expression property: (property_identifier) @name)) @reference.write
(pair key: (property_identifier) @name) @reference.other
((property_identifier) @name) @reference.read
((private_property_identifier) @name) @reference.read
((shorthand_property_identifier) @name) @reference.read
((shorthand_property_identifier_pattern) @name) @reference.read
((identifier) @name) @reference.read
