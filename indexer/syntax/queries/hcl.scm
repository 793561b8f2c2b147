; HCL and Terraform
(#comment comment)
(block (identifier) (string_lit (template_literal) @name)) @definition.struct
(body (attribute (identifier) @name) @definition.property)
((identifier) @name) @reference.read
