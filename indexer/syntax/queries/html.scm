; HTML: ids, and names of tags as references
(#comment comment)
(attribute (attribute_name) @n (quoted_attribute_value (attribute_value) @name) (#eq? @n "id")) @definition.property
(attribute (attribute_name) @n (quoted_attribute_value (attribute_value) @name) (#eq? @n "src")) @import
((tag_name) @name) @reference.other
