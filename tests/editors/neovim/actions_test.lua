-- Every code action by the model, and undo by hunks, in a real Neovim:  isolated.sh AMBIT nvim -l actions_test.lua
local here = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
package.path = here .. '/?.lua;' .. package.path
local d = require('driver')
local project = vim.env.PROJECT
local function git(...) return vim.fn.system({ 'git', '-C', project, '-c', 'user.name=T', '-c', 'user.email=t@example.org', ... }) end
local text = { 'def total(entries):', '    result = 0', '    for entry in entries:', '        result = result + entry', '    return result', '',
  '', 'def broken(entries):', '    return totel(entries)' }
vim.fn.writefile(text, project .. '/sums.py')
vim.fn.writefile({ 'from sums import total', '', 'print(total([1]), total([2]))' }, project .. '/use.py')
git('add', '-A')
git('commit', '-qm', 'sums')
vim.fn.writefile({ '', '[features]', 'navigation = true' }, vim.env.XDG_CONFIG_HOME .. '/ambit/config.toml', 'a')
d.start(project .. '/sums.py')
d.eventually('the client is attached', function() return d.lua('return vim.g.ready == true') end, 30000)

local function titles()
  return d.lua([[
    local params = vim.lsp.util.make_range_params(0, 'utf-16')
    params.context = { diagnostics = {}, triggerKind = 1 }
    local out = {}
    for _, answer in pairs(vim.lsp.buf_request_sync(0, 'textDocument/codeAction', params, 5000) or {}) do
      for _, a in ipairs(answer.result or {}) do out[#out + 1] = a.title .. (a.disabled and ' (' .. a.disabled.reason .. ')' or '') end
    end
    return out]])
end
local function act(words)
  d.lua([[
    local words = ...
    vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.title:find(words, 1, true) ~= nil end })]], words)
end
local function undo_all()
  d.input('<Esc>')
  d.lua('while vim.bo.modified do vim.cmd.undo() end')
end

d.rpc('nvim_win_set_cursor', 0, { 1, 5 })
local offered = {}
d.eventually('the model\'s actions are offered', function()
  offered = titles()
  return vim.tbl_contains(offered, 'Ambit: explain') and vim.tbl_contains(offered, 'Ambit: document') and vim.tbl_contains(offered, 'Ambit: write a test')
end)

-- Document: comments only; an answer that changes code is refused with one line.
act('document')
d.eventually('a doc string appears', function() return d.line(2) == '    """The sum of the entries."""' end)
d.shot('neovim-documented')
undo_all()
d.rpc('nvim_win_set_cursor', 0, { 8, 5 })
act('document')
d.eventually('code that would change is refused and said', function()
  return d.lua([[return vim.fn.execute('messages')]]):find('it changes code, where only comments were asked for', 1, true)
end)
d.check('and nothing happens', vim.deep_equal(d.lines(), text), d.lines())
d.input('<CR>')

-- Explain.
d.rpc('nvim_win_set_cursor', 0, { 1, 5 })
act('explain')
d.eventually('the explanation is shown', function() return d.on_screen('Adds up the entries.') end)
d.shot('neovim-explained')
d.eventually('q closes it', function()
  d.input('<Esc>:only<CR>:buffer sums.py<CR>')
  return d.rpc('nvim_buf_get_name', 0):find('sums.py', 1, true)
end)

-- Rewrite by instruction, and by a comment among the lines.
d.rpc('nvim_win_set_cursor', 0, { 1, 5 })
d.input(':Ambit rewrite use the built-in sum<CR>')
d.eventually('it is rewritten', function() return d.line(2) == '    return sum(entries)' end)
undo_all()
d.rpc('nvim_buf_set_lines', 0, 1, 1, false, { '    # ambit: use the built-in sum' })
d.rpc('nvim_win_set_cursor', 0, { 2, 8 })
d.eventually('a comment at the cursor is an instruction', function() return vim.tbl_contains(titles(), 'Ambit: use the built-in sum') end)
act('use the built-in sum')
d.eventually('which is followed', function() return d.line(2) == '    return sum(entries)' end)
undo_all()

-- Fix a diagnostic of a linter.
d.lua([[vim.diagnostic.set(vim.api.nvim_create_namespace('lint'), 0,
  { { lnum = 8, col = 11, end_lnum = 8, end_col = 16, message = "undefined name 'totel'", severity = 1 } })]])
d.rpc('nvim_win_set_cursor', 0, { 9, 12 })
d.input(':Ambit fix<CR>')
d.eventually('the diagnostic is fixed', function() return d.line(9) == '    return total(entries)' end)
d.shot('neovim-fixed-diagnostic')
undo_all()
d.lua('vim.diagnostic.reset()')

-- Write a test: a file that is new.
d.rpc('nvim_win_set_cursor', 0, { 1, 5 })
act('write a test')
d.eventually('a test file is made', function()
  return d.lua([[
    for _, b in ipairs(vim.api.nvim_list_bufs()) do
      if vim.api.nvim_buf_get_name(b):find('test_sums.py', 1, true) then
        return vim.tbl_contains(vim.api.nvim_buf_get_lines(b, 0, -1, false), '    assert total([1, 2]) == 3')
      end
    end]])
end)
d.eventually('which is shown', function()
  return d.rpc('nvim_buf_get_name', 0):find('test_sums.py', 1, true) and d.on_screen('assert total([1, 2]) == 3')
end)
d.shot('neovim-test-written')
d.input('<Esc>:silent only<CR>:edit ' .. project .. '/sums.py<CR>')

-- Undo by hunks.
d.eventually('back in the file', function() return d.rpc('nvim_buf_get_name', 0):find('/sums.py', 1, true) end)
d.rpc('nvim_command', 'silent! write')
d.input(':Ambit refactor rename total to sum_of<CR>')
d.eventually('the plan shows', function() return vim.tbl_contains(d.lines(), '+def sum_of(entries):') end)
d.input('a')
d.eventually('and is applied', function() return d.line(1) == 'def sum_of(entries):' end)
d.input(':Ambit undo hunks<CR>')
d.eventually('its hunks are shown', function() return d.line(2) and d.line(2):find('^@@ ') end)
d.shot('neovim-hunks')
d.lua([[
  for i, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
    if line:find('print(sum_of', 1, true) then vim.api.nvim_win_set_cursor(0, { i, 0 }) end
  end]])
d.input('u')
local function use() return table.concat(vim.fn.readfile(project .. '/use.py'), '\n') end
d.eventually('one is taken back', function() return use() == 'from sums import sum_of\n\nprint(total([1]), total([2]))' end)
d.input('q')
d.eventually('the others stay', function() return d.line(1) == 'def sum_of(entries):' end)
d.input(':Ambit undo<CR>')
d.eventually('and go with the next undo', function() return d.line(1) == 'def total(entries):' and use():find('import total', 1, true) end)
d.eventually('which is said', function() return d.lua([[return vim.fn.execute('messages')]]):find('taken back %d+ places in %d+ files of "rename total to sum_of"') end)
d.finish()
d.report()
