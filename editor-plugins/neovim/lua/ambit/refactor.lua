-- :Ambit refactor INSTRUCTION — asks for a plan, shows its diff, applies it when told so.
local M = {}

local last = nil -- id of the plan that was applied last

-- What a person should know before the diff: who does what, and what stays as it is.
local function summary(plan)
  local out = {}
  for i, step in ipairs(plan.steps or {}) do
    local unsure = step.unsure and #step.unsure > 0 and (', %d unsure places stay as they are'):format(#step.unsure) or ''
    local what = step.dropped and 'dropped' or ('%d places in %d files%s'):format(step.places, step.files, unsure)
    out[#out + 1] = ('# %d. %s (by the %s: %s)'):format(i, step.title, step.by, what)
  end
  for _, note in ipairs(plan.notes or {}) do out[#out + 1] = '# ' .. note:gsub('\n', ' ') end
  return out
end

local function show_diff(client, plan, diff)
  local buf = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buf, 'ambit://plan/' .. plan.id)
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, vim.list_extend(summary(plan), vim.split(diff, '\n', { plain = true })))
  vim.bo[buf].filetype, vim.bo[buf].modifiable, vim.bo[buf].bufhidden = 'diff', false, 'wipe'
  vim.cmd('botright split')
  vim.api.nvim_win_set_buf(0, buf)
  vim.wo.winbar = ' Ambit: a applies this plan, q leaves it '
  vim.keymap.set('n', 'q', '<cmd>close<cr>', { buffer = buf, desc = 'leave the plan' })
  vim.keymap.set('n', 'a', function()
    vim.cmd.close()
    require('ambit.client').execute(client, 'ambit.refactor.apply', { { id = plan.id } }, function()
      last = plan.id
      vim.cmd.checktime()
      vim.notify('Ambit: applied; :Ambit undo takes it back')
    end)
  end, { buffer = buf, desc = 'apply the plan' })
end

---@param instruction string
function M.run(client, instruction)
  local lsp = require('ambit.client')
  local function plan_it(words)
    if not words or words == '' then return end
    local params = { instruction = words, uri = vim.uri_from_bufnr(0) }
    -- "rename to NAME" means what stands at the cursor.
    if words:match('^%s*rename%s+to%s') then
      params.position = vim.lsp.util.make_position_params(0, client.offset_encoding).position
    end
    lsp.execute(client, 'ambit.refactor', { params }, function(plan)
      if type(plan) ~= 'table' or not plan.id then
        vim.notify('Ambit: nothing to change' .. (type(plan) == 'table' and plan.message and ': ' .. plan.message or ''))
        return
      end
      lsp.execute(client, 'ambit.refactor.preview', { { id = plan.id } }, function(preview)
        show_diff(client, plan, preview.diff or '')
      end)
    end)
  end
  if instruction ~= '' then plan_it(instruction) else vim.ui.input({ prompt = 'Ambit, change: ' }, plan_it) end
end

local function take_back(client, argument)
  require('ambit.client').execute(client, 'ambit.refactor.undo', { argument }, function(result)
    if type(result) ~= 'table' then return end
    if not argument.hunks then last = nil end
    vim.cmd.checktime()
    local kept = result.conflicts or {}
    local what = ('%d places in %d files of "%s"'):format(result.hunks, result.files, result.title or 'the change')
    if #kept > 0 then
      vim.notify(('Ambit: taken back %s, but for %d places that you changed since (%s:%d)'):format(what, #kept, kept[1].path, kept[1].line + 1))
    elseif result.hunks == 0 then
      vim.notify('Ambit: nothing of it is left to take back')
    else
      vim.notify('Ambit: taken back ' .. what)
    end
  end)
end

-- The hunks of the last change, of which one can be taken back at a time.
local function show_hunks(client, change)
  local lines, at = { '# ' .. change.title }, {}
  for number, hunk in ipairs(change.hunks) do
    at[#lines + 1] = number
    lines[#lines + 1] = ('@@ %s:%d'):format(hunk.path, hunk.line + 1)
    for _, side in ipairs({ { '-', hunk.removed }, { '+', hunk.added } }) do
      for _, line in ipairs(vim.split(side[2], '\n', { plain = true, trimempty = true })) do
        at[#lines + 1] = number
        lines[#lines + 1] = side[1] .. line
      end
    end
  end
  local buf = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, lines)
  vim.bo[buf].filetype, vim.bo[buf].modifiable, vim.bo[buf].bufhidden = 'diff', false, 'wipe'
  vim.cmd('botright split')
  vim.api.nvim_win_set_buf(0, buf)
  vim.wo.winbar = ' Ambit: u takes the hunk at the cursor back, q leaves '
  vim.keymap.set('n', 'q', '<cmd>close<cr>', { buffer = buf, desc = 'leave the hunks' })
  vim.keymap.set('n', 'u', function()
    local number = at[vim.api.nvim_win_get_cursor(0)[1]]
    if number then take_back(client, { id = change.id, hunks = { number } }) end
  end, { buffer = buf, desc = 'take this hunk back' })
end

---@param what? string  'hunks': choose among those of the change
function M.undo(client, what)
  if what ~= 'hunks' then return take_back(client, { id = last }) end
  require('ambit.client').execute(client, 'ambit.refactor.hunks', { { id = last } }, function(change)
    if type(change) == 'table' and #change.hunks > 0 then show_hunks(client, change) end
  end)
end

return M
