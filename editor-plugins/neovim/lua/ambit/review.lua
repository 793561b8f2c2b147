-- :Ambit review — the findings come as diagnostics of the server, so every list of diagnostics shows them.
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
    local count = type(result) == 'table' and result.findings or 0
    if type(count) == 'table' then count = #count end
    if count == 0 then
      vim.notify('Ambit: nothing to remark on what is ' .. (scope == 'staged' and 'staged' or 'changed'))
      return
    end
    vim.notify(('Ambit: %d finding%s'):format(count, count == 1 and '' or 's'))
    vim.diagnostic.setqflist({ title = 'Ambit review', open = true })
  end)
end

return M
