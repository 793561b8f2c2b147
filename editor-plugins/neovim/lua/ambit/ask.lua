-- :Ambit explain, :Ambit fix, :Ambit rewrite INSTRUCTION — about the selected lines, or the definition around the cursor.
local M = {}

---@return table  a Range in the client's encoding
local function range_of(client, args)
  if args and args.range and args.range > 0 then
    return { start = { line = args.line1 - 1, character = 0 }, ['end'] = { line = args.line2, character = 0 } }
  end
  local position = vim.lsp.util.make_position_params(0, client.offset_encoding).position
  return { start = position, ['end'] = position }
end

local function argument(client, args, more)
  return vim.tbl_extend('force', { uri = vim.uri_from_bufnr(0), range = range_of(client, args) }, more or {})
end

local function explain(client, asked)
  require('ambit.client').execute(client, 'ambit.explain', { asked }, function(answer)
    if type(answer) ~= 'table' or not answer.text then return end
    local buf = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_lines(buf, 0, -1, false, vim.split(answer.text, '\n', { plain = true }))
    vim.bo[buf].filetype, vim.bo[buf].modifiable, vim.bo[buf].bufhidden = 'markdown', false, 'wipe'
    vim.cmd('botright split')
    vim.api.nvim_win_set_buf(0, buf)
    vim.keymap.set('n', 'q', '<cmd>close<cr>', { buffer = buf, desc = 'close the explanation' })
  end)
end

function M.explain(client, args) explain(client, argument(client, args)) end

-- The code action of the same name is a command, whose answer somebody has to show.
vim.lsp.commands['ambit.explain'] = function(command, context)
  local client = vim.lsp.get_client_by_id(context.client_id)
  if client then explain(client, command.arguments[1]) end
end

-- A diagnostic as the protocol has it. Those of other servers keep their own; linters have none.
local function protocol_diagnostic(client, d)
  if d.user_data and d.user_data.lsp and d.user_data.lsp.range then return d.user_data.lsp end
  local function position(row, column)
    local line = vim.api.nvim_buf_get_lines(0, row, row + 1, false)[1] or ''
    local before = line:sub(1, column)
    return { line = row, character = client.offset_encoding == 'utf-16' and vim.fn.strutf16len(before) or #before }
  end
  return { range = { start = position(d.lnum, d.col), ['end'] = position(d.end_lnum or d.lnum, d.end_col or d.col) },
    message = d.message, severity = d.severity, source = d.source, code = d.code }
end

-- Neovim sends a server its own diagnostics only; what there is to fix comes from others.
function M.fix(client)
  local here = vim.tbl_map(function(d) return protocol_diagnostic(client, d) end,
    vim.diagnostic.get(0, { lnum = vim.api.nvim_win_get_cursor(0)[1] - 1 }))
  if #here == 0 then return vim.notify('Ambit: there is no diagnostic on this line') end
  vim.lsp.buf.code_action({ context = { diagnostics = here, only = { 'quickfix' } }, apply = true,
    filter = function(action) return action.title:find('Ambit', 1, true) ~= nil end })
end

---@param instruction string
function M.rewrite(client, instruction, args)
  local asked = argument(client, args)
  local function rewrite(words)
    if not words or words == '' then return end
    asked.instruction = words
    require('ambit.client').execute(client, 'ambit.rewrite', { asked })
  end
  if instruction ~= '' then rewrite(instruction) else vim.ui.input({ prompt = 'Ambit, rewrite: ' }, rewrite) end
end

return M
