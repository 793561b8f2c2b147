-- :checkhealth ambit
local M = {}

function M.check()
  local health = vim.health
  local options = require('ambit').options
  health.start('Ambit')

  if vim.lsp.inline_completion then
    health.ok('Neovim ' .. tostring(vim.version()) .. ' draws inline completions itself')
  elseif vim.fn.has('nvim-0.10') == 1 then
    health.ok('Neovim ' .. tostring(vim.version()) .. ': this plugin draws the ghost text')
  else
    health.error('Neovim 0.10 or newer is needed; this is ' .. tostring(vim.version()))
    return
  end

  local program = options.cmd[1]
  if vim.fn.executable(program) == 0 then
    health.error(("no program '%s' on the path"):format(program), {
      "build it with 'cmake --preset release && cmake --build --preset release'",
      "put build/release on the path, or give setup({ cmd = { '/where/it/is/ambit', 'lsp' } })",
    })
    return
  end
  local version = vim.fn.system({ program, 'version' })
  if vim.v.shell_error == 0 then
    health.ok(vim.trim(version) .. ' at ' .. vim.fn.exepath(program))
  else
    health.error(("'%s version' fails: %s"):format(program, vim.trim(version)))
    return
  end

  local clients = require('ambit.client').all()
  if #clients == 0 then
    health.warn('no client runs', { "call require('ambit').setup() in init.lua, then open a file" })
  end
  for _, client in ipairs(clients) do
    local provider = client.server_capabilities.inlineCompletionProvider
    local count = vim.tbl_count(client.attached_buffers or {})
    local root = client.root_dir or (client.config and client.config.root_dir) or 'no root folder (single file)'
    health.ok(('client %d serves %d buffers of %s'):format(client.id, count, root))
    if not provider then health.warn('the server offers no inline completions', { 'is `completion.enabled` false?' }) end
  end
  local status = require('ambit.status').get()
  if status.message ~= '' then health.info(status.state .. ': ' .. status.message) end

  local key = options.keymaps and options.keymaps.accept
  if key then
    local mapped = vim.fn.maparg(key, 'i', false, true)
    if not vim.startswith(mapped.desc or '', 'Ambit') then
      health.warn(key .. ' is mapped by something else: ' .. (mapped.desc or mapped.rhs or 'a Lua function'), {
        "choose another key: setup({ keymaps = { accept = '<C-y>' } })",
      })
    end
  end

  local output = vim.fn.system({ program, 'doctor' })
  health.start('Ambit: what `ambit doctor` says')
  for line in vim.gsplit(vim.trim(output), '\n') do
    if line:match('^%s*error') then health.error(line)
    elseif line:match('^%s*warning') then health.warn(line)
    else health.info(line) end
  end
end

return M
