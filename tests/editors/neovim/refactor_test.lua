-- Refactor, review and code actions in a real Neovim:  isolated.sh AMBIT nvim -l refactor_test.lua
local here = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
package.path = here .. '/?.lua;' .. package.path
local d = require('driver')
local project = vim.env.PROJECT
local names = { 'ledger.h', 'ledger.cpp', 'report.cpp' }
local function disk(name) return table.concat(vim.fn.readfile(project .. '/src/' .. name, 'b'), '\n') end
local function all() return vim.tbl_map(disk, names) end
local function git(...) return vim.fn.system({ 'git', '-C', project, '-c', 'user.name=T', '-c', 'user.email=t@example.org', ... }) end

-- A body, so that there is something to change.
local report = { '#include <string>', '', '#include "ledger.h"', '', 'namespace books {', '',
  'std::string summary(const Ledger& ledger) {', '  return std::to_string(ledger.balance_cents()) + ledger.owner();', '}', '',
  '}  // namespace books' }
vim.fn.writefile(report, project .. '/src/report.cpp')
vim.fn.writefile({ '#pragma once', '', '#include "ledger.h"', '', 'namespace books {', 'std::string summary(const Ledger& ledger);', '}' },
  project .. '/src/report.h')
vim.fn.writefile({ '#include "report.h"', '', 'int main() {', '  books::Ledger l("me");', '  return books::summary(l).empty();', '}' },
  project .. '/src/main.cpp')
git('add', '-A')
git('commit', '-qm', 'a body')
local before = all()

vim.fn.writefile({ '', '[features]', 'navigation = true' }, vim.env.XDG_CONFIG_HOME .. '/ambit/config.toml', 'a')
d.start(project .. '/src/report.cpp')
d.eventually('the client is attached', function() return d.lua('return vim.g.ready == true') end)

-- Plan and preview.
d.input(':Ambit refactor rename Ledger::owner to holder<CR>')
d.eventually('the plan shows as a diff', function() return vim.tbl_contains(d.lines(), '+const std::string& Ledger::holder() const { return owner_; }') end)
d.check('with who does what', d.line(1):find('rename .*owner to holder %(by the index: 3 places in 3 files') ~= nil, d.line(1))
d.check('and changes nothing yet', vim.deep_equal(all(), before))
d.shot('neovim-preview')

-- Apply: the open file in its buffer, the others on disk.
d.input('a')
d.eventually('the buffer has changed', function() return d.line(8) == '  return std::to_string(ledger.balance_cents()) + ledger.holder();' end)
d.eventually('and the files that are not open', function() return disk('ledger.h'):find('& holder() const', 1, true) and disk('ledger.cpp'):find('::holder()', 1, true) end)
d.check('the member of a like name stays', disk('ledger.h'):find('std::string owner_;', 1, true) ~= nil)
d.shot('neovim-applied')

-- The user's own edit in between survives the undo.
d.rpc('nvim_buf_set_lines', 0, 8, 8, false, { '  // mine' })
d.input(':Ambit undo<CR>')
d.eventually('undo takes it back', function() return d.line(8) == report[8] end)
d.check('but not what the user wrote since', d.line(9) == '  // mine', d.lines())
d.rpc('nvim_buf_set_lines', 0, 8, 9, false, {})
d.rpc('nvim_command', 'silent write')
d.eventually('everything is byte for byte as before', function() return vim.deep_equal(all(), before) end)

-- A rename in the editor's own way, by its own keys: what it changes are its buffers.
d.rpc('nvim_win_set_cursor', 0, { 8, 3 })
d.input('grn')
d.eventually('a word of the language is not renamed', function() return d.lua([[return vim.fn.execute('messages')]]):find('Nothing to rename', 1, true) end)
d.rpc('nvim_win_set_cursor', 0, { 8, report[8]:find('owner', 1, true) + 1 })
d.input('grn')
d.eventually('the editor asks with the old name', function() return d.on_screen('New Name: owner') end)
d.input('<C-u>holder<CR>')
d.eventually('and renames in the buffer', function() return d.line(8) == '  return std::to_string(ledger.balance_cents()) + ledger.holder();' end)
d.check('in buffers of the files that were not open', d.lua([[
  local buffers = {}
  for _, b in ipairs(vim.fn.getbufinfo({ bufmodified = 1 })) do
    buffers[vim.fs.basename(b.name)] = table.concat(vim.api.nvim_buf_get_lines(b.bufnr, 0, -1, false), '\n')
  end
  return buffers['ledger.h']:find('& holder() const', 1, true) and buffers['ledger.cpp']:find('::holder()', 1, true)]]))
d.check('and nowhere on disk', vim.deep_equal(all(), before))
d.shot('neovim-renamed')
d.lua('for _, b in ipairs(vim.fn.getbufinfo({ bufmodified = 1 })) do vim.api.nvim_buf_call(b.bufnr, vim.cmd.undo) end')
d.rpc('nvim_command', 'silent wall')
d.eventually('which the editor takes back', function() return d.line(8) == report[8] and vim.deep_equal(all(), before) end)
d.lua([[for _, b in ipairs(vim.api.nvim_list_bufs()) do
  if b ~= vim.api.nvim_get_current_buf() then vim.api.nvim_buf_delete(b, {}) end
end]])

-- Extract by a code action, without the model. Offered only for a selection.
local function act(words)
  d.lua([[
    local words = ...
    vim.lsp.buf.code_action({ apply = true, filter = function(a) return a.title:find(words, 1, true) ~= nil end })]], words)
end
local from, to = report[8]:find('ledger.balance_cents()', 1, true)
d.rpc('nvim_win_set_cursor', 0, { 8, from - 1 })
d.input('v')
d.eventually('something is selected', function() return d.rpc('nvim_get_mode').mode == 'v' end)
d.rpc('nvim_win_set_cursor', 0, { 8, to - 1 })
act('extract to a variable')
d.eventually('a variable is extracted', function() return (d.line(8) or ''):find('auto&& extracted = ', 1, true) end)
d.shot('neovim-extracted')
d.input('<Esc>u')
d.eventually('and undone by the editor', function() return d.line(8) == report[8] end)

-- A long plan shows progress and ends when it is cancelled.
d.lua([[vim.g.progress = ''; vim.api.nvim_create_autocmd('LspProgress', { callback = function(e)
  local v = e.data.params.value
  vim.g.progress = vim.g.progress .. v.kind .. ' ' .. (v.title or '') .. ' ' .. (v.message or '') .. '\n'
end })]])
d.input(':Ambit refactor hang on Ledger<CR>')
d.eventually('progress is shown', function() return d.lua('return vim.g.progress'):find('asking the model', 1, true) end)
d.shot('neovim-progress')
d.input(':Ambit cancel<CR>')
d.eventually('cancel ends it', function() return d.lua('return vim.g.progress'):find('end ', 1, true) end, 5000)
d.eventually('nothing stays in the queue', function()
  local status = vim.json.decode(vim.fn.system({ vim.env.AMBIT, 'status', '--json' }))
  return #status.queue == 0
end)

-- The model's plan: a step of its own, checked and applied the same way.
d.input('<Esc>:Ambit refactor greet in Ledger<CR>')
d.eventually('the plan of the model is shown', function() return (d.line(1) or ''):find('by the model', 1, true) end)
d.shot('neovim-model-plan')
d.input('a')
d.eventually('and applied', function() return disk('ledger.cpp'):find('owner_ + "!"', 1, true) end)
d.eventually('which is said', function() return d.lua([[return vim.fn.execute('messages')]]):match('applied.*applied') end)
d.input(':Ambit undo<CR>')
d.eventually('and taken back', function() return vim.deep_equal(all(), before) end)

-- Review: a function is renamed, a caller is not; the finding has a quick fix.
for _, name in ipairs({ 'report.h', 'report.cpp' }) do
  local text = disk(name):gsub('summary', 'describe')
  vim.fn.writefile(vim.split(text, '\n'), project .. '/src/' .. name, 'b')
end
git('add', '-A')
d.lua('vim.cmd.checktime()')
d.input('<Esc>:Ambit review staged<CR>')
d.eventually('the finding opens in the quickfix list', function()
  local list = d.lua([[return vim.fn.getqflist()]])
  return #list > 0 and list[1].text:find('summary', 1, true)
end, 20000)
d.check('at the name that is gone', d.lua('return vim.fn.getqflist()[1] ~= nil'), d.lua([[return vim.fn.execute('messages')]]))
d.eventually('and is a diagnostic of the open file', function() return d.lua([[return #vim.diagnostic.get() > 0]]) end)
d.shot('neovim-review')
d.input('<Esc>:cclose<CR>')
d.lua([[local q = vim.fn.getqflist()[1]; vim.cmd.buffer(q.bufnr); vim.api.nvim_win_set_cursor(0, { q.lnum, q.col - 1 })]])
act('describe')
d.eventually('the quick fix changes the caller', function()
  return d.lua([[
    for _, b in ipairs(vim.api.nvim_list_bufs()) do
      if vim.api.nvim_buf_get_name(b):find('main.cpp', 1, true) then
        return table.concat(vim.api.nvim_buf_get_lines(b, 0, -1, false), '\n'):find('books::describe(l)', 1, true) ~= nil
      end
    end]])
end)
d.shot('neovim-fixed')
d.rpc('nvim_command', 'Ambit review clear')
d.eventually('and the findings go', function() return d.lua([[return #vim.diagnostic.get() == 0]]) end)

d.finish()
d.report()
