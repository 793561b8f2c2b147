-- Ambit as it comes, with the bundled model and no setting, in a real Neovim:  isolated.sh AMBIT nvim -l bundled_test.lua
local here = vim.fs.dirname(debug.getinfo(1, 'S').source:sub(2))
package.path = here .. '/?.lua;' .. package.path
local d = require('driver')
local project = vim.env.PROJECT
local text = { '#include "ledger.h"', '', 'namespace books {', '',
  'static long rounded(long cents) { return cents / 100 * 100; }', '',
  'long spent(const std::vector<long>& entries) {', '  long spent = 0;',
  '  for (const long entry : entries) {', '    if (entry < 0) spent -= rounded(entry);', '  }', '  return spent;', '}', '',
  'long earned(const std::vector<long>& entries) {', '  long earned = 0;', '}', '', '}  // namespace books' }
vim.fn.writefile(text, project .. '/src/statement.cpp')
d.start(project .. '/src/statement.cpp')
d.eventually('the client is attached', function() return d.lua('return vim.g.ready == true') end)
d.rpc('nvim_command', 'setlocal nocindent noautoindent indentexpr=')
d.eventually('the repository is read', function()
  local status = vim.json.decode(vim.fn.system({ vim.env.AMBIT, 'status', '--json' }))
  local workspace = (status.workspaces or {})[1]
  return workspace and workspace.state == 'ready' and workspace.memory == 'ready'
end, 30000)
d.eventually('by the bundled model', function()
  local status = vim.json.decode(vim.fn.system({ vim.env.AMBIT, 'status', '--json' }))
  return status.model.name == 'ambit-nano'
end, 30000)

-- What the repository says is offered, and taken.
d.rpc('nvim_win_set_cursor', 0, { 16, 0 })
d.input('o  for (const ')
d.eventually('ghost text', function() return vim.startswith(d.ghost(), 'long entry : entries) {') end)
d.check('which is not in the buffer', d.line(17) == '  for (const ', d.line(17))
d.shot('neovim-bundled')
d.input('<Tab>')
d.eventually('it is accepted', function() return vim.startswith(d.line(17), '  for (const long entry : entries) {') end)
d.input('<Esc>')

-- A function is renamed by hand; the line that calls it is offered in its new form.
d.input(':5s/rounded/floored/<CR>')
d.rpc('nvim_win_set_cursor', 0, { 10, 4 })
d.input('i')
d.eventually('the follow-up is shown', function() return d.on_screen('spent -= floored(entry);') end)
d.shot('neovim-next-edit')
d.input('<Tab>')
d.eventually('and taken', function() return d.line(10) == '    if (entry < 0) spent -= floored(entry);' end)
d.input('<Esc>:w<CR>')
d.eventually('the file on disk says so', function()
  return table.concat(vim.fn.readfile(project .. '/src/statement.cpp'), '\n'):find('spent -= floored(entry);', 1, true) ~= nil
end)

-- A parameter is added by hand; the call that does not pass it is offered in its new form, once the index knows the saved text.
d.input(':5s/long cents/long cents, bool up/<CR>')
d.rpc('nvim_win_set_cursor', 0, { 10, 4 })
d.eventually('the new argument is shown', function()
  d.input('i')
  vim.wait(500)
  if d.on_screen('floored(entry, false);') then return true end
  d.input('<Esc>l')
end)
d.shot('neovim-new-argument')
d.input('<Tab>')
d.eventually('and taken', function() return d.line(10) == '    if (entry < 0) spent -= floored(entry, false);' end)
d.input('<Esc>:w<CR>')

-- What the index does works with this model; what it cannot do is said.
d.lua([[vim.notify = function(words) vim.g.said = words end]])
local function says(words)
  return function() return tostring(d.lua('return vim.g.said')):find('ambit-nano is too small to judge code: ' .. words .. ' want DeepSeek-V4', 1, true) end
end
d.input(':Ambit explain<CR>')
d.eventually('explain says which model it wants', says('explanations'))
d.input(':Ambit rewrite make it nicer<CR>')
d.eventually('and so does rewrite', says('rewrites'))
d.input(':Ambit refactor make the code nicer<CR>')
d.eventually('and a change that needs judgement', says('changes that need judgement'))
d.shot('neovim-bundled-refused')
d.input(':Ambit refactor rename floored to lowered<CR>')
d.eventually('a rename is planned', function() return vim.tbl_contains(d.lines(), '+static long lowered(long cents, bool up) { return cents / 100 * 100; }') end)
d.input('a')
d.eventually('and applied', function() return d.line(5):find('lowered', 1, true) end)
d.finish()
d.report()
