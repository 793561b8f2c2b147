; Zig
(#comment comment)
(#locals function_declaration)
(function_declaration name: (identifier) @name) @definition.function
(variable_declaration (identifier) @name) @definition.variable
(container_field name: (identifier) @name) @definition.field
(parameter name: (identifier) @name) @local
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (field_expression member: (identifier) @name)) @reference.call
((identifier) @name) @reference.read
