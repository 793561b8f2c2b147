-- What the daemon says about itself: one word for a status line, a page for :Ambit status.
local M = {}

local state = { state = 'starting', message = '' }

---From the server's notification ambit/status.
function M.update(params)
  state = { state = params.state or 'ready', message = params.message or '' }
  vim.g.ambit_status = state.state
  vim.cmd.redrawstatus()
end

function M.exited(code, signal)
  state = {
    state = 'stopped',
    message = (code ~= 0 and code ~= 143) and ('ended with exit code %d, signal %d; :Ambit log has its words'):format(code, signal) or '',
  }
  vim.g.ambit_status = state.state
end

---For a status line: "ambit", "ambit: indexing" or '' when no client runs.
---@return string
function M.line()
  if #require('ambit.client').all() == 0 then return '' end
  return state.state == 'ready' and 'ambit' or 'ambit: ' .. state.state
end

---@return { state: string, message: string }
function M.get() return state end

local function flatten(value, indent, out)
  local keys = vim.tbl_keys(value)
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, key in ipairs(keys) do
    local item = value[key]
    if type(item) == 'table' then
      if next(item) ~= nil then
        out[#out + 1] = ('%s%s:'):format(indent, key)
        flatten(item, indent .. '  ', out)
      end
    else
      out[#out + 1] = ('%s%s: %s'):format(indent, key, tostring(item):gsub('\n', ' '))
    end
  end
  return out
end

---Opens a window with the daemon's own report.
function M.show()
  local client = require('ambit.client').get() or require('ambit.client').all()[1]
  if not client then
    vim.notify('Ambit: no client is attached; :checkhealth ambit says why', vim.log.levels.WARN)
    return
  end
  require('ambit.client').execute(client, 'ambit.status', {}, function(report)
    local lines = { 'Ambit: ' .. state.state .. (state.message ~= '' and ' (' .. state.message .. ')' or ''), '' }
    if type(report) == 'table' then flatten(report, '', lines) end
    local buf = vim.api.nvim_create_buf(false, true)
    vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
    vim.bo[buf].modifiable, vim.bo[buf].bufhidden, vim.bo[buf].filetype = false, 'wipe', 'yaml'
    vim.cmd('botright ' .. math.min(#lines, 20) .. 'split')
    vim.api.nvim_win_set_buf(0, buf)
    vim.keymap.set('n', 'q', '<cmd>close<cr>', { buffer = buf, desc = 'close' })
  end)
end

return M
