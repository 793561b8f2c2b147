; Lua
(#comment comment)
(#locals function_declaration function_definition)

(function_declaration name: (identifier) @name) @definition.function
(function_declaration name: (dot_index_expression field: (identifier) @name)) @definition.function
(function_declaration name: (method_index_expression method: (identifier) @name)) @definition.method
(assignment_statement (variable_list name: (identifier) @name)) @definition.variable
(assignment_statement (variable_list name: (dot_index_expression field: (identifier) @name))) @definition.field
(field name: (identifier) @name value: (function_definition)) @definition.method
(parameters name: (identifier) @name) @local
(function_call name: (identifier) @f arguments: (arguments (string) @name) (#eq? @f "require")) @import
(function_call name: (identifier) @name) @reference.call
(function_call name: (dot_index_expression field: (identifier) @name)) @reference.call
(function_call name: (method_index_expression method: (identifier) @name)) @reference.call
((identifier) @name) @reference.read
