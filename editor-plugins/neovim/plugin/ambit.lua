-- Defines :Ambit. Nothing is started before require('ambit').setup() or vim.lsp.enable('ambit').
if vim.g.loaded_ambit then return end
vim.g.loaded_ambit = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.api.nvim_create_user_command('Ambit', function()
    vim.notify('Ambit needs Neovim 0.10 or newer; this is ' .. tostring(vim.version()), vim.log.levels.ERROR)
  end, { nargs = '*' })
  return
end

vim.api.nvim_create_user_command('Ambit', function(args)
  require('ambit').command(args)
end, {
  nargs = '*',
  range = true,
  desc = 'Ambit: status, enable, disable, review, refactor, restart, log',
  complete = function(lead, line)
    return require('ambit').complete(lead, line)
  end,
})
