; CSS
(#comment comment)
(rule_set (selectors (class_selector (class_name) @name))) @definition.class
(rule_set (selectors (id_selector (id_name) @name))) @definition.property
(keyframes_statement (keyframes_name) @name) @definition.function
(import_statement (string_value) @name) @import
((class_name) @name) @reference.other
((id_name) @name) @reference.other
