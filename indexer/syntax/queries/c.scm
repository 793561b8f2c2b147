; C
(#brace-blocks)
(#no-name if else for while do switch case return sizeof)
(#comment comment)
(#through pointer_declarator declarator)
(#through array_declarator declarator)
(#through init_declarator declarator)
(#through parenthesized_declarator _)
(#through attributed_declarator _)
(#locals function_definition)
(#private-if storage_class_specifier static)
(#text preproc_arg)
(#body body type.body)

(function_definition declarator: (function_declarator declarator: (identifier) @name)) @definition.function
(declaration declarator: (function_declarator
  declarator: (parenthesized_declarator) declarator: (identifier) @name)) @definition.variable
(declaration declarator: (function_declarator declarator: (identifier) @name)) @declaration.function
(declaration (storage_class_specifier) @s declarator: (identifier) @name (#eq? @s "extern")) @declaration.variable
(declaration declarator: (identifier) @name) @definition.variable
(struct_specifier name: (type_identifier) @name body: (_)) @definition.struct
(union_specifier name: (type_identifier) @name body: (_)) @definition.union
(enum_specifier name: (type_identifier) @name body: (_)) @definition.enum
(enumerator name: (identifier) @name) @definition.enumerator
(field_declaration declarator: (function_declarator declarator: (field_identifier) @name)) @definition.field
(field_declaration declarator: (field_identifier) @name) @definition.field
(type_definition declarator: (function_declarator declarator: (type_identifier) @name)) @definition.type
(type_definition declarator: [(type_identifier) (primitive_type)] @name) @definition.type
(preproc_def name: (identifier) @name) @definition.macro
(preproc_function_def name: (identifier) @name) @definition.macro
(parameter_declaration declarator: (function_declarator declarator: (identifier) @name)) @local
(parameter_declaration declarator: (identifier) @name) @local
(labeled_statement label: (statement_identifier) @name) @local

(preproc_include path: [(string_literal) (system_lib_string)] @name) @import
(preproc_include path: (identifier) @name) @reference.other
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (field_expression field: (field_identifier) @name)) @reference.call
(assignment_expression left: (identifier) @name) @reference.write
(assignment_expression left: (field_expression field: (field_identifier) @name)) @reference.write
(update_expression argument: (identifier) @name) @reference.write
((type_identifier) @name) @reference.type
((field_identifier) @name) @reference.read
((statement_identifier) @name) @reference.other
(preproc_params (identifier) @name) @ignore
((identifier) @name) @reference.read
