; Java
(#comment line_comment block_comment)
(#locals method_declaration constructor_declaration lambda_expression block)
(#private-if modifiers private)

(class_declaration name: (identifier) @name) @definition.class
(record_declaration name: (identifier) @name) @definition.class
(interface_declaration name: (identifier) @name) @definition.interface
(annotation_type_declaration name: (identifier) @name) @definition.interface
(enum_declaration name: (identifier) @name) @definition.enum
(enum_constant name: (identifier) @name) @definition.enumerator
(method_declaration name: (identifier) @name) @definition.method
(constructor_declaration name: (identifier) @name) @definition.constructor
(compact_constructor_declaration name: (identifier) @name) @definition.constructor
(annotation_type_element_declaration name: (identifier) @name) @definition.method
(field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.field
(constant_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.constant
(local_variable_declaration declarator: (variable_declarator name: (identifier) @name)) @local
(formal_parameter name: (identifier) @name) @local
(catch_formal_parameter name: (identifier) @name) @local
(enhanced_for_statement name: (identifier) @name) @local
(resource name: (identifier) @name) @local
(lambda_expression parameters: (identifier) @name) @local
(inferred_parameters (identifier) @name) @local
(type_parameter (type_identifier) @name) @ignore
(import_declaration (scoped_identifier) @name) @import
(package_declaration (scoped_identifier name: (identifier) @name)) @ignore
(import_declaration (scoped_identifier name: (identifier) @name)) @reference.import
(method_invocation name: (identifier) @name) @reference.call
(object_creation_expression type: (type_identifier) @name) @reference.call
(superclass (type_identifier) @name) @reference.inherit
(super_interfaces (type_list (type_identifier) @name)) @reference.inherit
(extends_interfaces (type_list (type_identifier) @name)) @reference.inherit
(assignment_expression left: (identifier) @name) @reference.write
((type_identifier) @name) @reference.type
((identifier) @name) @reference.read
