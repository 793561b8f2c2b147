-- :Ambit review — the findings come as diagnostics of the server, and as a list of places.
local M = {}

---@param scope? 'staged'|'worktree'|'clear'
function M.run(client, scope)
  scope = scope or 'staged'
  local lsp = require('ambit.client')
  if scope == 'clear' then
    lsp.execute(client, 'ambit.review.clear', {})
    return
  end
  local uri = vim.uri_from_bufnr(0)
  lsp.execute(client, 'ambit.review', { { uri = uri, scope = scope } }, function(result)
    for _, note in ipairs(type(result) == 'table' and result.notes or {}) do vim.notify('Ambit: ' .. note) end
    local findings = type(result) == 'table' and result.findings or {}
    if #findings == 0 then
      vim.notify('Ambit: nothing to remark on what is ' .. (scope == 'staged' and 'staged' or 'changed'))
      return
    end
    vim.notify(('Ambit: %d finding%s'):format(#findings, #findings == 1 and '' or 's'))
    -- From the answer: diagnostics may come later, and of open files only.
    local kinds = { error = 'E', warning = 'W', info = 'I' }
    vim.fn.setqflist({}, ' ', { title = 'Ambit review', items = vim.tbl_map(function(f)
      local start = f.range.start
      return { filename = result.root .. '/' .. f.path, lnum = start.line, col = start.column, text = f.message, type = kinds[f.severity] }
    end, findings) })
    vim.cmd('botright copen')
  end)
end

return M
