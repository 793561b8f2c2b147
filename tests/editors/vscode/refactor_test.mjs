// Refactor, review and code actions in a real VS Code:  isolated.sh AMBIT node refactor_test.mjs  (driver.mjs says what it needs)
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, drive } from './driver.mjs';
import { hands } from './hands.mjs';

const { PROJECT, AMBIT } = process.env;
const path = (name) => join(PROJECT, 'src', name);
const disk = (name) => readFileSync(path(name), 'utf8');
const all = () => ['ledger.h', 'ledger.cpp', 'report.cpp'].map(disk).join('\0');
const git = (...words) => execFileSync('git', ['-C', PROJECT, '-c', 'user.name=T', '-c', 'user.email=t@example.org', ...words]);

const body = '  return std::to_string(ledger.balance_cents()) + ledger.owner();';
writeFileSync(path('report.cpp'), ['#include <string>', '', '#include "ledger.h"', '', 'namespace books {', '',
  'std::string summary(const Ledger& ledger) {', body, '}', '', '}  // namespace books', ''].join('\n'));
writeFileSync(path('report.h'), '#pragma once\n\n#include "ledger.h"\n\nnamespace books {\nstd::string summary(const Ledger& ledger);\n}\n');
writeFileSync(path('main.cpp'), '#include "report.h"\n\nint main() {\n  books::Ledger l("me");\n  return books::summary(l).empty();\n}\n');
git('add', '-A');
git('commit', '-qm', 'a body');
const before = all();
appendFileSync(join(process.env.XDG_CONFIG_HOME, 'ambit/config.toml'), '\n[features]\nnavigation = true\n');

await drive(path('report.cpp'), async ({ page, editor, eventually, shot, outside }) => {
  const { shown, command, say, button, atLine, choose } = hands({ page, editor, shot });
  const refactor = async (words) => {
    await command('Ambit: Refactor the Repository');
    await say(words);
  };

  // Plan, preview, apply, undo.
  await refactor('rename Ledger::owner to holder');
  await button('Apply').waitFor({ timeout: 20_000 });
  await eventually('the plan shows as a diff with who does what', async () => {
    const text = await shown();
    return text.includes('by the index: 3 places in 3 files') && text.includes('+const std::string& Ledger::holder() const');
  }, true);
  check('and changes nothing yet', all() === before);
  await shot('vscode-preview');
  await button('Apply').click();
  await eventually('the files that are not open have changed', async () =>
    disk('ledger.h').includes('& holder() const') && disk('ledger.cpp').includes('::holder()'), true);
  await page.keyboard.press('Control+w'); // the diff
  await eventually('the open one in its buffer', async () => (await shown()).includes('ledger.holder()'), true);
  await shot('vscode-applied');

  // Undo by parts, then the rest.
  await command('Ambit: Undo Parts of the Last Refactor');
  const part = page.locator('.quick-input-list .monaco-list-row', { hasText: 'ledger.h' }).first();
  await part.waitFor();
  await shot('vscode-undo-parts');
  await part.locator('input[type=checkbox], .monaco-checkbox').first().click();
  await page.locator('.quick-input-widget .quick-input-action .monaco-button, .quick-input-widget .monaco-button', { hasText: 'OK' }).first().click();
  await eventually('one place is taken back', async () => disk('ledger.h').includes('& owner() const'), true);
  check('and the others stay', disk('ledger.cpp').includes('::holder()') && (await shown()).includes('ledger.holder()'));
  await command('Ambit: Undo the Last Refactor');
  await eventually('undo takes the rest back', async () => (await shown()).includes('ledger.owner()'), true);
  await page.keyboard.press('Control+s');
  await eventually('everything is byte for byte as before', async () => all() === before, true);

  // The message has gone: the button above the diff applies the plan.
  await refactor('rename Ledger::owner to keeper');
  await button('Leave').waitFor({ timeout: 20_000 });
  await button('Leave').click();
  await page.locator('.editor-actions .action-label[aria-label^="Apply This Plan"]').first().click();
  await eventually('the diff can be applied by its own button', async () => disk('ledger.h').includes('& keeper() const'), true);
  await page.keyboard.press('Control+w');
  await command('Ambit: Undo the Last Refactor');
  await eventually('and is taken back', async () => (await shown()).includes('ledger.owner()'), true);
  await page.keyboard.press('Control+s');
  await eventually('byte for byte too', async () => all() === before, true);

  // A rename in the editor's own way.
  const nameBox = page.locator('.rename-box input').first();
  const onLine8 = async (before_caret) => {
    await editor.locator('.view-lines').click();
    await atLine(8);
    await page.keyboard.press('Home');
    for (let i = 2; i < body.indexOf(before_caret); i++) await page.keyboard.press('ArrowRight');
  };
  await onLine8('turn std'); // in `return`
  await page.keyboard.press('F2');
  await page.locator('.monaco-editor-overlaymessage', { hasText: /can.?t be renamed/ }).waitFor();
  check('a word of the language is not renamed', true);
  await onLine8('wner()');
  await page.keyboard.press('F2');
  await nameBox.waitFor();
  check('the editor asks with the old name', (await nameBox.inputValue()) === 'owner', await nameBox.inputValue());
  await shot('vscode-rename');
  await nameBox.fill('holder');
  await page.keyboard.press('Enter');
  await eventually('and renames in the open file', async () => (await shown()).includes('ledger.holder()'), true);
  await eventually('and in the others', async () =>
    disk('ledger.h').includes('& holder() const') && disk('ledger.cpp').includes('::holder()'), true);
  await shot('vscode-renamed');
  await page.keyboard.press('Control+z');
  await eventually('which the editor takes back', async () => (await shown()).includes('ledger.owner()'), true);
  await page.keyboard.press('Control+k');
  await page.keyboard.press('s'); // save all
  await eventually('byte for byte', async () => all() === before, true);

  // Extract by a code action.
  await editor.locator('.view-lines').click();
  await atLine(8);
  await page.keyboard.press('End');
  for (let i = 0; i < ') + ledger.owner();'.length; i++) await page.keyboard.press('ArrowLeft');
  for (let i = 0; i < 'ledger.balance_cents()'.length; i++) await page.keyboard.press('Shift+ArrowLeft');
  await choose('Ambit: extract to a variable', 'vscode-actions');
  await eventually('a variable is extracted', async () => (await shown()).includes('auto&& extracted = ledger.balance_cents();'), true);
  await shot('vscode-extracted');
  await page.keyboard.press('Control+z');
  await eventually('and undone by the editor', async () => (await shown()).includes(body), true);
  await page.keyboard.press('Control+s');

  // A long plan shows progress and ends when it is cancelled.
  await refactor('hang on Ledger');
  const cancel = button('Cancel');
  await cancel.waitFor({ timeout: 20_000 });
  const queue = () => JSON.parse(execFileSync(AMBIT, ['status', '--json'])).queue.length;
  await eventually('the model is asked', async () => queue(), 1);
  await shot('vscode-progress');
  await cancel.click();
  await eventually('cancel ends it', async () => queue(), 0);

  // Review: a function is renamed, a caller is not; the finding has a quick fix.
  for (const name of ['report.h', 'report.cpp']) writeFileSync(path(name), disk(name).replaceAll('summary', 'describe'));
  git('add', '-A');
  await eventually('the editor has read the new text', async () => (await shown()).includes('std::string describe('), true);
  await command('Ambit: Review What Is Staged');
  const problem = page.locator('.markers-panel .monaco-list-row', { hasText: 'summary' }).first();
  await problem.waitFor({ timeout: 30_000 });
  check('the finding is a problem', true);
  await shot('vscode-review');
  await problem.dblclick(); // the caret is at the finding
  await choose(/Ambit: .*describe/, 'vscode-fix');
  await eventually('the quick fix changes the caller', async () => {
    await page.keyboard.press('Control+k');
    await page.keyboard.press('s'); // save all
    return disk('main.cpp').includes('books::describe(l)');
  }, true);
  await shot('vscode-fixed');
  check('no request left the machine', outside.size === 0, [...outside].join(' '));
});
