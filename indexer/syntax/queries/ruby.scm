; Ruby
(#comment comment)
(#locals method singleton_method block do_block lambda)

(module name: (constant) @name) @definition.module
(module name: (scope_resolution name: (constant) @name)) @definition.module
(class name: (constant) @name) @definition.class
(class name: (scope_resolution name: (constant) @name)) @definition.class
(method name: [(identifier) (constant) (setter) (operator)] @name) @definition.function
(singleton_method name: [(identifier) (constant) (setter) (operator)] @name) @definition.function
(call method: (identifier) @m arguments: (argument_list (simple_symbol) @name) (#eq? @m "attr_accessor")) @definition.property
(call method: (identifier) @m arguments: (argument_list (simple_symbol) @name) (#eq? @m "attr_reader")) @definition.property
(call method: (identifier) @m arguments: (argument_list (simple_symbol) @name) (#eq? @m "attr_writer")) @definition.property
(alias name: (identifier) @name) @definition.function
(assignment left: (constant) @name) @definition.constant
(assignment left: (instance_variable) @name) @definition.field
(assignment left: (identifier) @name) @local
(method_parameters (identifier) @name) @local
(block_parameters (identifier) @name) @local
(optional_parameter name: (identifier) @name) @local
(keyword_parameter name: (identifier) @name) @local
(call method: (identifier) @m arguments: (argument_list (string) @name) (#eq? @m "require")) @import
(call method: (identifier) @m arguments: (argument_list (string) @name) (#eq? @m "require_relative")) @import
(superclass (constant) @name) @reference.inherit
(call method: (identifier) @name) @reference.call
((constant) @name) @reference.type
((instance_variable) @name) @reference.read
((identifier) @name) @reference.read
