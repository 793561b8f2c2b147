; Bash
(#comment comment)
(#locals function_definition)

(function_definition name: (word) @name) @definition.function
(variable_assignment name: (variable_name) @name) @definition.variable
(command name: (command_name) @c argument: [(word) (string)] @name (#eq? @c "source")) @import
(command name: (command_name) @c argument: [(word) (string)] @name (#eq? @c ".")) @import
(command name: (command_name (word) @name)) @reference.call
((variable_name) @name) @reference.read
