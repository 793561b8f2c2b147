-- Ghost text for Neovim 0.10 and 0.11: asks while typing, draws the answer right of the cursor, keeps it while the typing
-- agrees with it. Positions are bytes, 0-based, unless a name says otherwise.
local M = {}

local namespace = vim.api.nvim_create_namespace('ambit.ghost')
local DEBOUNCE_MS = 40 -- the daemon waits as long as its own measurements say; this only joins the events of one key

-- What is on offer: { buf, tick, items, index }; an item is as in inline_completion.apply.
local shown = nil
local timer = nil
local pending = nil -- { client, id } of the request in flight
local enabled = true
local on_clear = nil -- set while this module draws one answer for a Neovim that else draws itself

function M.clear()
  if on_clear then
    local done = on_clear
    on_clear = nil
    done()
  end
  if timer then
    timer:stop()
    timer:close()
    timer = nil
  end
  if pending then
    local client, id = pending.client, pending.id
    pending = nil
    if vim.fn.has('nvim-0.11') == 1 then client:cancel_request(id) else client.cancel_request(id) end
  end
  if shown and vim.api.nvim_buf_is_valid(shown.buf) then
    vim.api.nvim_buf_clear_namespace(shown.buf, namespace, 0, -1)
  end
  shown = nil
end

---Byte column of an LSP character offset in a line.
local function byte_column(line, character, encoding)
  if encoding == 'utf-8' then return math.min(character, #line) end
  if vim.fn.has('nvim-0.11') == 1 then return vim.str_byteindex(line, encoding, character, false) end
  local ok, byte = pcall(vim.str_byteindex, line, character, encoding == 'utf-16')
  return ok and byte or #line
end

local function to_item(item, client, buf)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local out = {
    insert_text = item.insertText,
    command = item.command,
    client_id = client.id,
    row = cursor[1] - 1,
    col = cursor[2],
    end_row = cursor[1] - 1,
    end_col = cursor[2],
  }
  if item.range then
    local first, last = item.range.start, item.range['end']
    local function line(row) return vim.api.nvim_buf_get_lines(buf, row, row + 1, false)[1] or '' end
    out.row, out.end_row = first.line, last.line
    out.col = byte_column(line(first.line), first.character, client.offset_encoding)
    out.end_col = byte_column(line(last.line), last.character, client.offset_encoding)
  end
  return out
end

---What of the item is still to be written, or nil when the text before the cursor is no longer its beginning.
local function remainder(item)
  local cursor = vim.api.nvim_win_get_cursor(0)
  local row, col = cursor[1] - 1, cursor[2]
  if item.row ~= row or item.col > col then return nil end
  local text = type(item.insert_text) == 'table' and item.insert_text.value or item.insert_text
  local typed = vim.api.nvim_get_current_line():sub(item.col + 1, col)
  if text:sub(1, #typed) ~= typed then return nil end
  local rest = text:sub(#typed + 1)
  return rest ~= '' and rest or nil
end

local function draw()
  local buf = vim.api.nvim_get_current_buf()
  vim.api.nvim_buf_clear_namespace(buf, namespace, 0, -1)
  local item = shown and shown.buf == buf and shown.items[shown.index]
  local rest = item and remainder(item)
  if not rest then return false end
  local cursor = vim.api.nvim_win_get_cursor(0)
  local lines = vim.split(rest, '\n', { plain = true })
  local below = {}
  for i = 2, #lines do below[#below + 1] = { { lines[i], 'AmbitGhost' } } end
  local count = #shown.items > 1 and shown.counted and (' (%d/%d)'):format(shown.index, #shown.items) or ''
  -- A range that reaches right of the cursor is written over, so the ghost is drawn over it as well.
  local covers = item.end_row == cursor[1] - 1 and item.end_col > cursor[2]
  vim.api.nvim_buf_set_extmark(buf, namespace, cursor[1] - 1, cursor[2], {
    virt_text = { { lines[1] .. count, 'AmbitGhost' } },
    virt_text_pos = covers and 'overlay' or 'inline',
    virt_lines = #below > 0 and below or nil,
    hl_mode = 'combine',
  })
  return true
end

---@param kind 1|2  1: the user asked; 2: while typing
function M.request(client, buf, kind)
  if pending then
    local old = pending
    pending = nil
    if vim.fn.has('nvim-0.11') == 1 then old.client:cancel_request(old.id) else old.client.cancel_request(old.id) end
  end
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  local mine = { client = client }
  local ok, id = require('ambit.client').request(client, 'textDocument/inlineCompletion', params, function(err, result)
    if pending ~= mine then return end -- a newer request stands
    pending = nil
    if err or vim.api.nvim_get_current_buf() ~= buf or not vim.startswith(vim.api.nvim_get_mode().mode, 'i') then return end
    local items = result and (result.items or result) or {}
    shown = nil
    local ours = {}
    for _, item in ipairs(items) do
      local converted = to_item(item, client, buf)
      if remainder(converted) then ours[#ours + 1] = converted end
    end
    if #ours > 0 then shown = { buf = buf, items = ours, index = 1 } end
    draw()
  end, buf)
  if ok then
    mine.id = id
    pending = mine
  end
end

local function on_change()
  if not enabled then return end
  if not draw() then shown = nil end
  local buf = vim.api.nvim_get_current_buf()
  local client = require('ambit.client').get(buf)
  if not client or not client.server_capabilities.inlineCompletionProvider then return end
  if timer then
    timer:stop()
    timer:close()
  end
  timer = vim.defer_fn(function()
    timer = nil
    if vim.api.nvim_get_current_buf() == buf and vim.startswith(vim.api.nvim_get_mode().mode, 'i') then
      M.request(client, buf, 2)
    end
  end, DEBOUNCE_MS)
end

---@param part 'all'|'word'|'line'
---@return boolean
function M.accept(part)
  local item = shown and shown.buf == vim.api.nvim_get_current_buf() and shown.items[shown.index]
  if not item or not remainder(item) then return false end
  vim.schedule(function() -- a mapping with <expr> may not change the text itself
    local keep = part ~= 'all' and shown or nil
    M.clear()
    require('ambit.inline_completion').apply(item, part)
    if keep then
      shown = keep -- the rest stays on offer
      if not draw() then shown = nil end
    end
  end)
  return true
end

---@param count integer
function M.select(count)
  if not shown or #shown.items < 2 then return end
  shown.index = (shown.index - 1 + count) % #shown.items + 1
  shown.counted = true
  draw()
end

---What is drawn now, as text; '' when nothing is. For tests and status lines.
function M.text()
  local item = shown and shown.items[shown.index]
  return item and remainder(item) or ''
end

---One request on the user's wish where Neovim else draws by itself; `done` is called when its answer is off the screen.
function M.request_once(client, buf, done)
  M.clear()
  on_clear = done
  local group = vim.api.nvim_create_augroup('ambit.ghost', { clear = true })
  vim.api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedP' }, {
    group = group,
    buffer = buf,
    callback = function()
      if shown and not draw() then M.clear() end
    end,
  })
  vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, { group = group, buffer = buf, callback = function() M.clear() end })
  M.request(client, buf, 1)
end

---@param on boolean
function M.enable(on)
  enabled = on
  if not on then M.clear() end
end

function M.setup()
  local group = vim.api.nvim_create_augroup('ambit.ghost', { clear = true })
  vim.api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedP' }, { group = group, callback = on_change })
  vim.api.nvim_create_autocmd({ 'InsertLeave', 'BufLeave' }, { group = group, callback = function() M.clear() end })
end

return M
