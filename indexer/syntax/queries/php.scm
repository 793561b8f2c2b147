; PHP
(#comment comment)
(#locals function_definition method_declaration anonymous_function arrow_function)
(#private-if visibility_modifier private)

(namespace_definition name: (namespace_name) @name) @definition.namespace
(class_declaration name: (name) @name) @definition.class
(interface_declaration name: (name) @name) @definition.interface
(trait_declaration name: (name) @name) @definition.trait
(enum_declaration name: (name) @name) @definition.enum
(enum_case name: (name) @name) @definition.enumerator
(function_definition name: (name) @name) @definition.function
(method_declaration name: (name) @name) @definition.method
(property_declaration (property_element name: (variable_name (name) @name))) @definition.property
(const_declaration (const_element (name) @name)) @definition.constant
(simple_parameter name: (variable_name (name) @name)) @local
(assignment_expression left: (variable_name (name) @name)) @local
(namespace_use_clause (qualified_name) @name) @import
(namespace_use_clause (qualified_name (name) @name)) @reference.import
(function_call_expression function: (name) @name) @reference.call
(function_call_expression function: (qualified_name (name) @name)) @reference.call
(member_call_expression name: (name) @name) @reference.call
(scoped_call_expression name: (name) @name) @reference.call
(object_creation_expression (name) @name) @reference.call
(base_clause (name) @name) @reference.inherit
(class_interface_clause (name) @name) @reference.inherit
(named_type (name) @name) @reference.type
((name) @name) @reference.read
