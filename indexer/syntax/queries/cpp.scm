; C++ and CUDA
(#brace-blocks)
(#no-name if else for while do switch case return sizeof)
(#comment comment)
(#through pointer_declarator declarator)
(#through array_declarator declarator)
(#through init_declarator declarator)
(#through parenthesized_declarator _)
(#through attributed_declarator _)
(#through reference_declarator _)
(#through qualified_identifier name)
(#wrapper template_declaration)
(#locals function_definition lambda_expression)
(#private-if storage_class_specifier static)
(#text preproc_arg)
(#body body type.body)

(namespace_definition name: [(namespace_identifier) (nested_namespace_specifier)] @name) @definition.namespace
(namespace_alias_definition name: (namespace_identifier) @name) @definition.namespace
(class_specifier name: (type_identifier) @name body: (_)) @definition.class
(struct_specifier name: (type_identifier) @name body: (_)) @definition.struct
(union_specifier name: (type_identifier) @name body: (_)) @definition.union
(enum_specifier name: (type_identifier) @name body: (_)) @definition.enum
(class_specifier name: (template_type name: (type_identifier) @name) body: (_)) @definition.class
(struct_specifier name: (template_type name: (type_identifier) @name) body: (_)) @definition.struct
(enumerator name: (identifier) @name) @definition.enumerator
(alias_declaration name: (type_identifier) @name) @definition.type
(type_definition declarator: (function_declarator declarator: (type_identifier) @name)) @definition.type
(type_definition declarator: [(type_identifier) (primitive_type)] @name) @definition.type
(concept_definition name: (identifier) @name) @definition.type

(function_definition declarator: (function_declarator
  declarator: (qualified_identifier scope: (namespace_identifier) @name))) @owner
(function_definition declarator: (function_declarator
  declarator: (qualified_identifier scope: (template_type name: (type_identifier) @name)))) @owner
(declaration declarator: (qualified_identifier scope: (namespace_identifier) @name)) @owner
(declaration declarator: (qualified_identifier scope: (template_type name: (type_identifier) @name))) @owner
(function_definition declarator: (function_declarator
  declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name)) @definition.function
(function_definition declarator: (function_declarator
  declarator: (template_function name: (identifier) @name))) @definition.function
(function_definition declarator: (operator_cast) @name) @definition.function
(declaration declarator: (function_declarator
  declarator: (parenthesized_declarator) declarator: (identifier) @name)) @definition.variable
(declaration declarator: (function_declarator
  declarator: [(identifier) (destructor_name) (operator_name)] @name)) @declaration.function
(field_declaration declarator: (function_declarator
  declarator: (parenthesized_declarator) declarator: (field_identifier) @name)) @definition.field
(field_declaration declarator: (function_declarator
  declarator: [(field_identifier) (destructor_name) (operator_name)] @name)) @declaration.method
(field_declaration declarator: (field_identifier) @name) @definition.field
(declaration (storage_class_specifier) @s declarator: (identifier) @name (#eq? @s "extern")) @declaration.variable
(declaration declarator: (identifier) @name) @definition.variable
(preproc_def name: (identifier) @name) @definition.macro
(preproc_function_def name: (identifier) @name) @definition.macro
(parameter_declaration declarator: (function_declarator declarator: (identifier) @name)) @local
(parameter_declaration declarator: (identifier) @name) @local
(optional_parameter_declaration declarator: (identifier) @name) @local
(for_range_loop declarator: (identifier) @name) @local
(structured_binding_declarator (identifier) @name) @local
(type_parameter_declaration (type_identifier) @name) @ignore
(optional_type_parameter_declaration name: (type_identifier) @name) @ignore
(variadic_type_parameter_declaration (type_identifier) @name) @ignore
(labeled_statement label: (statement_identifier) @name) @local

(preproc_include path: [(string_literal) (system_lib_string)] @name) @import
(using_declaration (identifier) @name) @reference.import
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (template_function name: (identifier) @name)) @reference.call
(call_expression function: (field_expression field: (field_identifier) @name)) @reference.call
(assignment_expression left: (identifier) @name) @reference.write
(assignment_expression left: (field_expression field: (field_identifier) @name)) @reference.write
(update_expression argument: (identifier) @name) @reference.write
(base_class_clause (type_identifier) @name) @reference.inherit
(base_class_clause (template_type name: (type_identifier) @name)) @reference.inherit
((type_identifier) @name) @reference.type
((namespace_identifier) @name) @reference.type
((field_identifier) @name) @reference.read
(preproc_params (identifier) @name) @ignore
((identifier) @name) @reference.read
