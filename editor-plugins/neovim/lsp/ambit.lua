-- The client configuration for Neovim 0.11 and newer: `vim.lsp.enable('ambit')` finds it on the runtime path.
-- `require('ambit').setup()` does that and more; this file alone is enough for who keeps a configuration of their own.
return require('ambit.client').config()
