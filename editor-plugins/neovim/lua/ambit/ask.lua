-- :Ambit explain, :Ambit rewrite INSTRUCTION — about the selected lines, or the definition around the cursor.
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

function M.explain(client, args)
  require('ambit.client').execute(client, 'ambit.explain', { argument(client, args) }, function(answer)
    if type(answer) ~= 'table' or not answer.text then return end
    local buf = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_lines(buf, 0, -1, false, vim.split(answer.text, '\n', { plain = true }))
    vim.bo[buf].filetype, vim.bo[buf].modifiable, vim.bo[buf].bufhidden = 'markdown', false, 'wipe'
    vim.cmd('botright split')
    vim.api.nvim_win_set_buf(0, buf)
    vim.keymap.set('n', 'q', '<cmd>close<cr>', { buffer = buf, desc = 'close the explanation' })
  end)
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
