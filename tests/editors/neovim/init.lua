-- What a user's init.lua does, and a flag for the tests: `ready` is set when the client's features are turned on, which
-- Neovim does one turn of its loop after LspAttach.
vim.o.swapfile, vim.o.shadafile = false, 'NONE'
vim.opt.runtimepath:prepend(vim.env.PLUGIN)
require('ambit').setup({ cmd = { vim.env.AMBIT, 'lsp' }, ghost_text = vim.env.GHOST_TEXT })
vim.api.nvim_create_autocmd('LspAttach', {
  callback = function() vim.schedule(function() vim.schedule(function() vim.g.ready = true end) end) end,
})
vim.cmd('runtime! plugin/ambit.lua')
