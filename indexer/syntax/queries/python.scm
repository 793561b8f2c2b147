; Python
(#comment comment)
(#wrapper decorated_definition)
(#locals function_definition lambda)
(#docstring expression_statement string)
(#private-prefix "_")
(#through type _)

(class_definition name: (identifier) @name) @definition.class
(function_definition name: (identifier) @name) @definition.function
(type_alias_statement left: (identifier) @name) @definition.type
(assignment left: (attribute object: (identifier) @o attribute: (identifier) @name) (#eq? @o "self")) @definition.field
(class_definition body: (block (expression_statement (assignment left: (identifier) @name) @definition.field)))
(assignment left: (identifier) @name) @definition.variable
(assignment left: (pattern_list (identifier) @name)) @definition.variable
(assignment left: (tuple_pattern (identifier) @name)) @definition.variable
(named_expression name: (identifier) @name) @local
(for_statement left: (identifier) @name) @local
(for_statement left: (pattern_list (identifier) @name)) @local
(for_in_clause left: (identifier) @name) @local
(for_in_clause left: (pattern_list (identifier) @name)) @local
(with_item value: (as_pattern alias: (as_pattern_target (identifier) @name))) @local
(as_pattern alias: (as_pattern_target (identifier) @name)) @local
(parameters (identifier) @name) @local
(parameters (list_splat_pattern (identifier) @name)) @local
(parameters (dictionary_splat_pattern (identifier) @name)) @local
(lambda_parameters (identifier) @name) @local
(typed_parameter type: (identifier) @name) @reference.type
(typed_parameter (identifier) @name) @local
(typed_parameter (list_splat_pattern (identifier) @name)) @local
(typed_parameter (dictionary_splat_pattern (identifier) @name)) @local
(default_parameter name: (identifier) @name) @local
(typed_default_parameter name: (identifier) @name) @local

(import_from_statement module_name: [(dotted_name) (relative_import)] @name) @import
(import_statement name: (dotted_name) @name) @import
(import_statement name: (aliased_import name: (dotted_name) @name)) @import
(import_from_statement name: (dotted_name (identifier) @name)) @reference.import
(import_from_statement name: (aliased_import name: (dotted_name (identifier) @name))) @reference.import
(import_from_statement name: (aliased_import alias: (identifier) @name)) @reference.import
(import_statement name: (aliased_import alias: (identifier) @name)) @reference.import
(import_statement name: (dotted_name (identifier) @name)) @reference.import
(keyword_argument name: (identifier) @name) @reference.other
(call function: (identifier) @name) @reference.call
(call function: (attribute attribute: (identifier) @name)) @reference.call
(decorator (identifier) @name) @reference.call
(class_definition superclasses: (argument_list (identifier) @name)) @reference.inherit
(class_definition superclasses: (argument_list (attribute attribute: (identifier) @name))) @reference.inherit
(assignment left: (attribute attribute: (identifier) @name)) @reference.write
(augmented_assignment left: (identifier) @name) @reference.write
(augmented_assignment left: (attribute attribute: (identifier) @name)) @reference.write
(typed_parameter type: (identifier) @name) @reference.type
(typed_default_parameter type: (identifier) @name) @reference.type
(function_definition return_type: (identifier) @name) @reference.type
(assignment type: (identifier) @name) @reference.type
((identifier) @name) @reference.read
