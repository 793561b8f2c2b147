-- Starts one language client for Ambit and answers which one serves a buffer.
-- Neovim 0.11 and newer: vim.lsp.config and vim.lsp.enable. 0.10: vim.lsp.start from an autocommand.
local M = {}

local NAME = 'ambit'

---The client's capabilities. Before 0.12 Neovim does not know inline completion, but this plugin does.
local function capabilities()
  local caps = vim.lsp.protocol.make_client_capabilities()
  caps.textDocument.inlineCompletion = caps.textDocument.inlineCompletion or { dynamicRegistration = false }
  caps.experimental = vim.tbl_extend('force', caps.experimental or {}, { ambitStatus = true })
  return caps
end

---@return table  for vim.lsp.config (0.11+); vim.lsp.start takes the same but for the root
function M.config()
  local options = require('ambit').options
  return {
    name = NAME,
    cmd = options.cmd,
    filetypes = options.filetypes,
    root_markers = options.root_markers,
    capabilities = capabilities(),
    init_options = options.settings,
    settings = { ambit = options.settings },
    handlers = {
      ['ambit/status'] = function(_, params) require('ambit.status').update(params) end,
    },
    on_init = function() require('ambit.status').update({ state = 'ready' }) end,
    on_exit = function(code, signal) require('ambit.status').exited(code, signal) end,
  }
end

---@param options ambit.Options
function M.start(options)
  if vim.lsp.config and vim.lsp.enable then
    vim.lsp.config(NAME, M.config())
    vim.lsp.enable(NAME)
    return
  end
  local function attach(buf)
    if vim.bo[buf].buftype ~= '' or vim.api.nvim_buf_get_name(buf) == '' then return end
    if options.filetypes and not vim.tbl_contains(options.filetypes, vim.bo[buf].filetype) then return end
    local config = M.config()
    config.root_dir = vim.fs.root(buf, options.root_markers)
    vim.lsp.start(config, { bufnr = buf })
  end
  local group = vim.api.nvim_create_augroup('ambit.client', { clear = true })
  vim.api.nvim_create_autocmd({ 'FileType', 'BufReadPost', 'BufNewFile' }, {
    group = group,
    callback = function(event) attach(event.buf) end,
  })
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) then attach(buf) end
  end
end

---The client that serves a buffer.
---@param buf? integer
---@return vim.lsp.Client?
function M.get(buf)
  return vim.lsp.get_clients({ bufnr = buf or 0, name = NAME })[1]
end

---@return vim.lsp.Client[]
function M.all()
  return vim.lsp.get_clients({ name = NAME })
end

---Calls a method of the server, on every Neovim from 0.10 on (client.request became client:request in 0.11).
function M.request(client, method, params, handler, buf)
  if vim.fn.has('nvim-0.11') == 1 then return client:request(method, params, handler, buf) end
  return client.request(method, params, handler, buf)
end

---Runs a server command and gives its result to `done(result)`; an error is shown.
---@param done? fun(result: any)
function M.execute(client, command, arguments, done)
  if not M.offers(client, command) then
    vim.notify(('Ambit: the server does not offer %s'):format(command), vim.log.levels.WARN)
    return
  end
  M.request(client, 'workspace/executeCommand', { command = command, arguments = arguments }, function(err, result)
    if err then
      vim.notify('Ambit: ' .. err.message, vim.log.levels.ERROR)
    elseif done then
      done(result)
    end
  end, 0)
end

---Stops every command that has shown progress: the server ends them and gives the model back.
function M.cancel(client)
  for token in pairs(client.progress and client.progress.pending or {}) do
    if vim.fn.has('nvim-0.11') == 1 then
      client:notify('window/workDoneProgress/cancel', { token = token })
    else
      client.notify('window/workDoneProgress/cancel', { token = token })
    end
  end
end

---Does the server offer this command?
function M.offers(client, command)
  local provider = client.server_capabilities.executeCommandProvider
  return provider ~= nil and vim.tbl_contains(provider.commands or {}, command)
end

function M.restart()
  local buffers = {}
  for _, client in ipairs(M.all()) do
    for buf in pairs(client.attached_buffers) do buffers[buf] = true end
    if vim.fn.has('nvim-0.11') == 1 then client:stop() else client.stop() end
  end
  vim.defer_fn(function()
    for buf in pairs(buffers) do
      if vim.api.nvim_buf_is_valid(buf) then vim.api.nvim_exec_autocmds('FileType', { buffer = buf }) end
    end
  end, 300)
end

return M
