; SQL
(#comment comment marginalia)
(create_table (object_reference name: (identifier) @name)) @definition.struct
(create_view (object_reference name: (identifier) @name)) @definition.struct
(create_function (object_reference name: (identifier) @name)) @definition.function
(column_definition name: (identifier) @name) @definition.field
(relation (object_reference name: (identifier) @name)) @reference.type
((identifier) @name) @reference.read
