; Elixir
(#comment comment)
(call target: (identifier) @d (arguments (alias) @name) (#eq? @d "defmodule")) @definition.module
(call target: (identifier) @d (arguments (alias) @name) (#eq? @d "defprotocol")) @definition.interface
(call target: (identifier) @d (arguments (call target: (identifier) @name)) (#eq? @d "def")) @definition.function
(call target: (identifier) @d (arguments (call target: (identifier) @name)) (#eq? @d "defp")) @definition.function
(call target: (identifier) @d (arguments (call target: (identifier) @name)) (#eq? @d "defmacro")) @definition.macro
(call target: (identifier) @d (arguments (identifier) @name) (#eq? @d "def")) @definition.function
(call target: (identifier) @d (arguments (alias) @name) (#eq? @d "import")) @import
(call target: (identifier) @d (arguments (alias) @name) (#eq? @d "alias")) @import
(call target: (identifier) @name) @reference.call
(call target: (dot right: (identifier) @name)) @reference.call
((alias) @name) @reference.type
((identifier) @name) @reference.read
