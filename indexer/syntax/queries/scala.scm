; Scala
(#comment comment block_comment)
(#locals function_definition lambda_expression)

(package_clause name: (package_identifier) @name) @ignore
(class_definition name: (identifier) @name) @definition.class
(object_definition name: (identifier) @name) @definition.module
(trait_definition name: (identifier) @name) @definition.trait
(enum_definition name: (identifier) @name) @definition.enum
(simple_enum_case name: (identifier) @name) @definition.enumerator
(full_enum_case name: (identifier) @name) @definition.enumerator
(type_definition name: (type_identifier) @name) @definition.type
(function_definition name: [(identifier) (operator_identifier)] @name) @definition.function
(function_declaration name: [(identifier) (operator_identifier)] @name) @definition.function
(val_definition pattern: (identifier) @name) @definition.variable
(val_declaration name: (identifier) @name) @definition.variable
(var_definition pattern: (identifier) @name) @definition.variable
(class_parameter name: (identifier) @name) @definition.field
(parameter name: (identifier) @name) @local
(import_declaration path: (identifier) @name) @import
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (field_expression field: (identifier) @name)) @reference.call
(extends_clause type: (type_identifier) @name) @reference.inherit
((type_identifier) @name) @reference.type
((identifier) @name) @reference.read
