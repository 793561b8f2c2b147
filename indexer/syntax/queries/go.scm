; Go
(#comment comment)
(#locals function_declaration method_declaration func_literal)
(#public-uppercase)
(#wrapper-single type_declaration const_declaration var_declaration var_spec_list)
(#through pointer_type _)
(#through generic_type type)
(#body body type)

(function_declaration name: (identifier) @name) @definition.function
(method_declaration receiver: (parameter_list (parameter_declaration type: (type_identifier) @name))) @owner
(method_declaration name: (field_identifier) @name) @definition.method
(type_spec name: (type_identifier) @name type: (struct_type)) @definition.struct
(type_spec name: (type_identifier) @name type: (interface_type)) @definition.interface
(type_spec name: (type_identifier) @name) @definition.type
(type_alias name: (type_identifier) @name) @definition.type
(method_elem name: (field_identifier) @name) @definition.method
(field_declaration name: (field_identifier) @name) @definition.field
(const_spec name: (identifier) @name) @definition.constant
(var_spec name: (identifier) @name) @definition.variable
(package_clause (package_identifier) @name) @ignore
(short_var_declaration left: (expression_list (identifier) @name)) @local
(range_clause left: (expression_list (identifier) @name)) @local
(parameter_declaration name: (identifier) @name) @local
(variadic_parameter_declaration name: (identifier) @name) @local
(type_parameter_declaration name: (identifier) @name) @local

(import_spec path: [(interpreted_string_literal) (raw_string_literal)] @name) @import
(import_spec name: (package_identifier) @name) @reference.import
(field_declaration type: (type_identifier) @name) @reference.type
(call_expression function: (identifier) @name) @reference.call
(call_expression function: (selector_expression field: (field_identifier) @name)) @reference.call
(call_expression function: (type_instantiation_expression type: (type_identifier) @name)) @reference.call
(assignment_statement left: (expression_list (identifier) @name)) @reference.write
(assignment_statement left: (expression_list (selector_expression field: (field_identifier) @name))) @reference.write
(keyed_element key: (literal_element (identifier) @name)) @reference.write
((type_identifier) @name) @reference.type
((package_identifier) @name) @reference.other
((field_identifier) @name) @reference.read
((label_name) @name) @ignore
((identifier) @name) @reference.read
