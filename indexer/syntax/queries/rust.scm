; Rust
(#comment line_comment block_comment)
(#through reference_pattern _)
(#through mut_pattern _)
(#through tuple_pattern _)
(#locals function_item closure_expression)
(#public-if visibility_modifier)

(struct_item name: (type_identifier) @name) @definition.struct
(union_item name: (type_identifier) @name) @definition.union
(enum_item name: (type_identifier) @name) @definition.enum
(enum_variant name: (identifier) @name) @definition.enumerator
(trait_item name: (type_identifier) @name) @definition.trait
(type_item name: (type_identifier) @name) @definition.type
(associated_type name: (type_identifier) @name) @definition.type
(mod_item name: (identifier) @name) @definition.module
(function_item name: (identifier) @name) @definition.function
(function_signature_item name: (identifier) @name) @definition.function
(macro_definition name: (identifier) @name) @definition.macro
(const_item name: (identifier) @name) @definition.constant
(static_item name: (identifier) @name) @definition.variable
(field_declaration name: (field_identifier) @name) @definition.field
(impl_item type: (type_identifier) @name) @scope
(impl_item type: (generic_type type: (type_identifier) @name)) @scope
(impl_item type: (reference_type type: (type_identifier) @name)) @scope
(impl_item trait: (type_identifier) @name) @reference.inherit
(impl_item trait: (generic_type type: (type_identifier) @name)) @reference.inherit
(impl_item trait: (scoped_type_identifier name: (type_identifier) @name)) @reference.inherit
(let_declaration pattern: (identifier) @name) @local
(parameter pattern: (identifier) @name) @local
(closure_parameters (identifier) @name) @local
(for_expression pattern: (identifier) @name) @local
(tuple_struct_pattern type: (identifier) @name) @reference.read
(tuple_struct_pattern (identifier) @name) @local
(match_pattern (identifier) @name) @reference.read
(type_parameter name: (type_identifier) @name) @local

(use_declaration argument: [(scoped_identifier) (identifier) (use_as_clause) (scoped_use_list) (use_wildcard)] @name) @import
(use_list (identifier) @name) @reference.import
(use_list (scoped_identifier name: (identifier) @name)) @reference.import
(use_declaration argument: (scoped_identifier name: (identifier) @name)) @reference.import
(use_declaration argument: (identifier) @name) @reference.import
(use_as_clause alias: (identifier) @name) @reference.import
(use_as_clause path: (scoped_identifier name: (identifier) @name)) @reference.import
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (scoped_identifier name: (identifier) @name)) @reference.call
(call_expression function: (field_expression field: (field_identifier) @name)) @reference.call
(call_expression function: (generic_function function: (identifier) @name)) @reference.call
(call_expression function: (generic_function function: (scoped_identifier name: (identifier) @name))) @reference.call
(call_expression function: (generic_function function: (field_expression field: (field_identifier) @name))) @reference.call
(macro_invocation macro: (identifier) @name) @reference.call
(macro_invocation macro: (scoped_identifier name: (identifier) @name)) @reference.call
(struct_expression name: (type_identifier) @name) @reference.call
(assignment_expression left: (identifier) @name) @reference.write
(assignment_expression left: (field_expression field: (field_identifier) @name)) @reference.write
((type_identifier) @name) @reference.type
((field_identifier) @name) @reference.read
((shorthand_field_identifier) @name) @reference.read
((identifier) @name) @reference.read
