-- Ambit for Neovim: starts `ambit lsp`, maps keys and :Ambit, shows what comes back. Everything that needs thought
-- (what to offer, when, from which context) is the daemon's; see :help ambit.
local M = {}

---@class ambit.Options
---@field cmd? string[]            the forwarder; default { 'ambit', 'lsp' }
---@field settings? table          settings of docs/configuration.md, nested: { completion = { max_lines = 8 } }
---@field filetypes? string[]      file types to attach to; default: every file
---@field root_markers? string[]   what makes a folder the root; default { '.ambit.toml', '.git' }
---@field keymaps? table|false     false: none; or replacements for the defaults below, each may be false
---@field ghost_text? 'auto'|'builtin'|'own'|false  who draws; 'auto': Neovim where it can (0.12), else this plugin
M.options = {
  cmd = { 'ambit', 'lsp' },
  settings = {},
  filetypes = nil,
  root_markers = { '.ambit.toml', '.git' },
  ghost_text = 'auto',
  keymaps = {
    accept = '<Tab>',
    accept_word = '<M-f>',
    accept_line = '<M-e>',
    next = '<M-]>',
    previous = '<M-[>',
    dismiss = '<C-]>',
    trigger = '<M-\\>',
  },
}

-- name -> { function(args), help }
local commands = {}

---@param options? ambit.Options
function M.setup(options)
  M.options = vim.tbl_deep_extend('force', M.options, options or {})
  if options and options.keymaps == false then M.options.keymaps = {} end
  require('ambit.client').start(M.options)
  require('ambit.inline_completion').setup(M.options)
  require('ambit.ask') -- code actions call it
end

local function with_client(action)
  local client = require('ambit.client').get()
  if not client then
    vim.notify('Ambit is not attached to this buffer; :checkhealth ambit says why', vim.log.levels.WARN)
    return
  end
  action(client)
end

commands.status = { function() require('ambit.status').show() end, 'what Ambit is doing, and with which model' }
commands.enable = { function() require('ambit.inline_completion').enable(true) end, 'offer completions' }
commands.disable = { function() require('ambit.inline_completion').enable(false) end, 'offer no completions' }
commands.trigger = { function() require('ambit.inline_completion').trigger() end, 'ask for a completion now' }
commands.review = {
  function(args) with_client(function(client) require('ambit.review').run(client, args.fargs[2]) end) end,
  'review what is staged: :Ambit review [staged|worktree|clear]',
}
commands.refactor = {
  function(args)
    local words = table.concat(vim.list_slice(args.fargs, 2), ' ')
    with_client(function(client) require('ambit.refactor').run(client, words) end)
  end,
  'plan a change of the repository: :Ambit refactor INSTRUCTION',
}
commands.rewrite = {
  function(args)
    local words = table.concat(vim.list_slice(args.fargs, 2), ' ')
    with_client(function(client) require('ambit.ask').rewrite(client, words, args) end)
  end,
  'rewrite the selected lines, or the definition at the cursor: :Ambit rewrite INSTRUCTION',
}
commands.explain = {
  function(args) with_client(function(client) require('ambit.ask').explain(client, args) end) end,
  'explain the selected lines, or the definition at the cursor',
}
commands.fix = {
  function() with_client(function(client) require('ambit.ask').fix(client) end) end,
  'fix a diagnostic of this line, of whatever server or linter',
}
commands.cancel = {
  function() with_client(function(client) require('ambit.client').cancel(client) end) end,
  'stop what Ambit is doing for this window',
}
commands.undo = {
  function(args) with_client(function(client) require('ambit.refactor').undo(client, args.fargs[2]) end) end,
  'take the last refactor back: :Ambit undo [hunks]',
}
commands.restart = { function() require('ambit.client').restart() end, 'stop and start the client' }
commands.log = { function() vim.cmd.edit(vim.lsp.get_log_path()) end, "open Neovim's log of its language clients" }

---@param args table  as nvim_create_user_command gives it
function M.command(args)
  local name = args.fargs[1] or 'status'
  local entry = commands[name]
  if not entry then
    vim.notify(("Ambit has no command '%s'; it has %s"):format(name, table.concat(M.complete('', ''), ', ')), vim.log.levels.ERROR)
    return
  end
  entry[1](args)
end

---@return string[]
function M.complete(lead, line)
  if line:match('review%s+%S*$') then
    return vim.tbl_filter(function(word) return vim.startswith(word, lead) end, { 'staged', 'worktree', 'clear' })
  end
  if line:match('undo%s+%S*$') then return vim.startswith('hunks', lead) and { 'hunks' } or {} end
  local names = vim.tbl_filter(function(name) return vim.startswith(name, lead) end, vim.tbl_keys(commands))
  table.sort(names)
  return names
end

return M
