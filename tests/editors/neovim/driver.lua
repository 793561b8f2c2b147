-- Types over RPC into a second, embedded nvim, because only one with a running main loop stays in insert mode. One per process.
local M = {}
local here = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
local passed, failed = 0, 0
local child

function M.check(name, ok, detail)
  if ok then passed = passed + 1 else failed = failed + 1 end
  io.write(('%s %s%s\n'):format(ok and 'ok  ' or 'FAIL', name, ok and '' or ': ' .. vim.inspect(detail)))
  return ok
end

function M.start(file)
  child = vim.fn.jobstart({ vim.v.progpath, '--embed', '--headless', '--clean', '-u', here .. '/init.lua', file }, {
    rpc = true,
    on_exit = function(_, code) M.exit_code = code end, -- jobwait() does not know a job that has ended already
  })
end

function M.rpc(method, ...) return vim.rpcrequest(child, method, ...) end
function M.lua(code, ...) return M.rpc('nvim_exec_lua', code, { ... }) end
function M.input(keys) M.rpc('nvim_input', keys) end
function M.lines() return M.rpc('nvim_buf_get_lines', 0, 0, -1, false) end
function M.line(n) return M.lines()[n] end

function M.eventually(name, fn, ms)
  local last
  local ok = vim.wait(ms or 10000, function()
    last = fn()
    return last and true or false
  end, 20)
  return M.check(name, ok, last)
end

-- What the screen shows, row by row.
function M.screen()
  return M.lua([[
    vim.cmd.redraw()
    local rows = {}
    for row = 1, vim.o.lines do
      local cells = {}
      for column = 1, vim.o.columns do cells[column] = vim.fn.screenstring(row, column) end
      rows[row] = table.concat(cells)
    end
    return rows]])
end

function M.on_screen(text)
  for _, row in ipairs(M.screen()) do
    if row:find(text, 1, true) then return true end
  end
  return false
end

-- The ghost text as it is drawn: virtual text, then virtual lines.
function M.ghost()
  return M.lua([[
    for _, name in ipairs({ 'nvim.lsp.inline_completion', 'ambit.ghost' }) do
      local ns = vim.api.nvim_get_namespaces()[name]
      local mark = ns and vim.api.nvim_buf_get_extmarks(0, ns, 0, -1, { details = true })[1]
      if mark then
        local out = { mark[4].virt_text and mark[4].virt_text[1][1] or '' }
        for _, l in ipairs(mark[4].virt_lines or {}) do out[#out + 1] = l[1][1] end
        return table.concat(out, '\n')
      end
    end
    return '']])
end

-- The screen as a picture (as text where there is no Chromium), in $SHOTS.
function M.shot(name)
  local folder = vim.env.SHOTS
  if not folder or folder == '' then return end
  local rows = M.screen()
  vim.fn.writefile(rows, folder .. '/' .. name .. '.txt')
  if (vim.env.CHROMIUM or '') == '' then return end
  local html = table.concat(rows, '\n'):gsub('[&<>]', { ['&'] = '&amp;', ['<'] = '&lt;', ['>'] = '&gt;' })
  local page = vim.env.WORK .. '/' .. name .. '.html'
  vim.fn.writefile(vim.split('<meta charset="utf-8"><body style="margin:8px;background:#14161b;color:#e0e2ea">'
    .. '<pre style="font:14px DejaVu Sans Mono">' .. html .. '</pre>', '\n'), page)
  vim.fn.system({ vim.env.CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--window-size=760,480',
    '--user-data-dir=' .. vim.env.WORK .. '/chrome', '--screenshot=' .. folder .. '/' .. name .. '.png', 'file://' .. page })
end

function M.finish()
  pcall(M.rpc, 'nvim_command', 'qall!')
  M.eventually('nvim exits', function() return M.exit_code == 0 end)
end

function M.report()
  io.write(('%d passed, %d failed\n'):format(passed, failed))
  os.exit(failed == 0 and 0 or 1)
end

return M
