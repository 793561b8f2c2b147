-- Inline completion: who draws it, and how an item is accepted in full, by word or by line.
-- 0.12 draws ghost text itself (vim.lsp.inline_completion); before that lua/ambit/ghost.lua does. Acceptance is ours in
-- both cases, because an item that was answered for "re" must still land right when "ret" stands there by now.
local M = {}

local client_of = require('ambit.client').get

---@return table?  vim.lsp.inline_completion where this Neovim has it and it is wanted
local function builtin()
  local wanted = require('ambit').options.ghost_text
  if wanted == 'own' or wanted == false then return nil end
  return vim.lsp.inline_completion
end

---How many bytes of `text` the part covers: all of it, its first word or its first line.
---@param text string
---@param part 'all'|'word'|'line'
function M.part_length(text, part)
  if part == 'word' then
    -- Blanks and line ends before it, then letters, digits and underscores, or else one run of other characters.
    local blank = text:match('^%s*')
    local rest = text:sub(#blank + 1)
    local word = rest:match('^[%w_\128-\255]+') or rest:match('^[^%w_%s\128-\255]+') or ''
    return #blank + #word
  elseif part == 'line' then
    local from = text:sub(1, 1) == '\n' and 2 or 1
    local line_end = text:find('\n', from, true)
    return line_end and line_end - 1 or #text
  end
  return #text
end

---Puts an item into the buffer.
---@param item table  { insert_text, row, col, end_row, end_col, command?, client_id }; 0-based, bytes
---@param part 'all'|'word'|'line'
---@return boolean  false when the item no longer fits what stands there
function M.apply(item, part)
  local buf, win = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_win()
  local cursor = vim.api.nvim_win_get_cursor(win)
  local row, col = cursor[1] - 1, cursor[2]
  if type(item.insert_text) == 'table' then -- a snippet
    if item.end_row ~= row or item.row ~= row then return false end
    vim.api.nvim_buf_set_text(buf, item.row, item.col, row, math.max(col, item.end_col), {})
    vim.api.nvim_win_set_cursor(win, { item.row + 1, item.col })
    vim.snippet.expand(item.insert_text.value)
    return true
  end
  if item.row ~= row or item.col > col then return false end
  local typed = vim.api.nvim_buf_get_text(buf, item.row, item.col, row, col, {})[1]
  if item.insert_text:sub(1, #typed) ~= typed then return false end -- something else was typed since
  local rest = item.insert_text:sub(#typed + 1)
  local length = M.part_length(rest, part)
  local whole = length == #rest
  -- What stands right of the cursor inside the item's range is replaced only by the whole item.
  local end_col = whole and math.max(col, item.end_row == row and item.end_col or col) or col
  end_col = math.min(end_col, #vim.api.nvim_get_current_line())
  local lines = vim.split(rest:sub(1, length), '\n', { plain = true })
  vim.api.nvim_buf_set_text(buf, row, col, row, end_col, lines)
  vim.api.nvim_win_set_cursor(win, { row + #lines, (#lines == 1 and col or 0) + #lines[#lines] })
  if whole and item.command then
    local client = vim.lsp.get_client_by_id(item.client_id)
    if client then
      require('ambit.client').request(client, 'workspace/executeCommand',
        { command = item.command.command, arguments = item.command.arguments }, function() end, buf)
    end
  end
  return true
end

---@param part 'all'|'word'|'line'
---@return boolean  whether there was something to accept
local function accept(part)
  local api = builtin()
  if require('ambit.ghost').accept(part) then return true end
  if not api then return false end
  return api.get({
    on_accept = function(item)
      local row, col, end_row, end_col
      if item.range then
        row, col, end_row, end_col = item.range:to_extmark()
      else
        local cursor = vim.api.nvim_win_get_cursor(0)
        row, col = cursor[1] - 1, cursor[2]
        end_row, end_col = row, col
      end
      M.apply({
        insert_text = item.insert_text,
        row = row,
        col = col,
        end_row = end_row,
        end_col = end_col,
        command = item.command,
        client_id = item.client_id,
      }, part)
    end, -- returns nothing: the item is applied already
  })
end

function M.accept() return accept('all') end
function M.accept_word() return accept('word') end
function M.accept_line() return accept('line') end

---@param count integer  1 for the next item, -1 for the one before
function M.select(count)
  local api = builtin()
  if api and require('ambit.ghost').text() == '' then
    api.select({ count = count })
  else
    require('ambit.ghost').select(count)
  end
end

function M.dismiss()
  local api = builtin()
  require('ambit.ghost').clear()
  if not api then return end
  -- 0.12 has no call for it: turning it off and on again clears what is shown.
  api.enable(false, { bufnr = 0 })
  api.enable(true, { bufnr = 0 })
end

---Asks now, as the user's own wish, also while automatic completions are off.
function M.trigger()
  local client = client_of()
  if not client then return end
  local buf, ghost, api = vim.api.nvim_get_current_buf(), require('ambit.ghost'), builtin()
  if not api then return ghost.request(client, buf, 1) end
  -- Neovim has no call for "asked by hand", which may offer several items: our own ghost text shows them.
  api.enable(false, { bufnr = buf })
  ghost.request_once(client, buf, function() api.enable(M.enabled, { bufnr = buf }) end)
end

M.enabled = true

---@param on boolean
function M.enable(on)
  M.enabled = on
  local api = builtin()
  if api then
    for _, client in ipairs(require('ambit.client').all()) do api.enable(on, { client_id = client.id }) end
  else
    require('ambit.ghost').enable(on)
  end
end

local function map(keys, action, description)
  if not keys or keys == '' then return end
  local previous = vim.fn.maparg(keys, 'i', false, true)
  vim.keymap.set('i', keys, function()
    if action() then return '' end
    -- Nothing of ours to act on: the key does what it did before.
    if previous.callback then
      local typed = previous.callback()
      return previous.expr == 1 and typed or ''
    elseif previous.rhs then
      return previous.expr == 1 and vim.api.nvim_eval(previous.rhs) or previous.rhs
    end
    return keys
  end, { expr = true, replace_keycodes = true, desc = description })
end

local function later(action)
  return function()
    vim.schedule(action)
    return true
  end
end

---@param options ambit.Options
function M.setup(options)
  vim.api.nvim_set_hl(0, 'AmbitGhost', { link = 'Comment', default = true })
  local group = vim.api.nvim_create_augroup('ambit.inline_completion', { clear = true })
  if options.ghost_text ~= false then
    if builtin() then
      local function on(id) builtin().enable(M.enabled, { client_id = id }) end
      vim.api.nvim_create_autocmd('LspAttach', {
        group = group,
        callback = function(event)
          local client = vim.lsp.get_client_by_id(event.data.client_id)
          if client and client.name == 'ambit' then on(client.id) end
        end,
      })
      for _, client in ipairs(require('ambit.client').all()) do on(client.id) end
    else
      require('ambit.ghost').setup()
    end
  end
  local keys = options.keymaps
  map(keys.accept, M.accept, 'Ambit: accept the completion')
  map(keys.accept_word, M.accept_word, 'Ambit: accept the next word')
  map(keys.accept_line, M.accept_line, 'Ambit: accept the next line')
  map(keys.next, later(function() M.select(1) end), 'Ambit: next completion')
  map(keys.previous, later(function() M.select(-1) end), 'Ambit: previous completion')
  map(keys.dismiss, later(M.dismiss), 'Ambit: dismiss the completion')
  map(keys.trigger, later(M.trigger), 'Ambit: ask for a completion')
end

return M
