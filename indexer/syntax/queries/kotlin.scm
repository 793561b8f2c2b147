; Kotlin
(#comment line_comment block_comment)
(#no-name false null true)
(#locals function_declaration anonymous_function lambda_literal)

(class_declaration name: (identifier) @name) @definition.class
(object_declaration name: (identifier) @name) @definition.class
(function_declaration name: (identifier) @name) @definition.function
(enum_entry (identifier) @name) @definition.enumerator
(property_declaration (variable_declaration (identifier) @name)) @definition.variable
(type_alias type: (identifier) @name) @definition.type
(class_parameter (identifier) @name) @definition.field
(parameter (identifier) @name) @local
(import (qualified_identifier) @name) @import
(call_expression (identifier) @name) @reference.call
(call_expression (navigation_expression (identifier) @name)) @reference.call
(delegation_specifier (user_type (identifier) @name)) @reference.inherit
(user_type (identifier) @name) @reference.type
((identifier) @name) @reference.read
