// Every code action by the model in a real VS Code:  isolated.sh AMBIT node actions_test.mjs  (driver.mjs says what it needs)
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, drive } from './driver.mjs';
import { hands } from './hands.mjs';

const { PROJECT } = process.env;
const file = join(PROJECT, 'sums.py');
const git = (...words) => execFileSync('git', ['-C', PROJECT, '-c', 'user.name=T', '-c', 'user.email=t@example.org', ...words]);
const text = ['def total(entries):', '    result = 0', '    for entry in entries:', '        result = result + entry', '    return result', '',
  '', 'def broken(entries):', '    return totel(entries)', ''].join('\n');
writeFileSync(file, text);
writeFileSync(join(PROJECT, 'style.css'), 'p {\n  colr: red;\n}\n');
git('add', '-A');
git('commit', '-qm', 'sums');

await drive(file, async ({ page, editor, eventually, shot, outside }) => {
  const { shown, command, say, open, message, atLine, choose } = hands({ page, editor, shot });
  const at = async (line) => {
    await editor.locator('.view-lines').first().click();
    await atLine(line);
  };
  const undone = async (name) => {
    for (let i = 0; i < 5 && !(await shown()).includes('result = result + entry'); i++) await page.keyboard.press('Control+z');
    await eventually(`${name}: undone by the editor`, async () => (await shown()).includes('result = result + entry'), true);
  };

  await at(1);
  await choose('Ambit: document', 'vscode-model-actions');
  await eventually('a doc string appears', async () => (await shown()).includes('"""The sum of the entries."""'), true);
  await shot('vscode-documented');
  await page.keyboard.press('Control+z');
  await eventually('and is undone by the editor', async () => (await shown()).includes('"""'), false);

  await at(8);
  await choose('Ambit: document', 'vscode-model-actions');
  await message('it changes code, where only comments were asked for').waitFor({ timeout: 20_000 });
  check('an answer that changes code is refused and said', true);
  await shot('vscode-document-refused');
  check('and nothing happens', (await shown()).includes('return totel(entries)'));
  await command('Notifications: Clear All Notifications');

  await at(1);
  await command('Ambit: Rewrite the Selection');
  await say('use the built-in sum');
  await eventually('it is rewritten', async () => (await shown()).includes('return sum(entries)'), true);
  await undone('the rewrite');

  await at(1);
  await choose('Ambit: explain', 'vscode-model-actions');
  await page.locator('.view-line', { hasText: 'Adds up the entries.' }).first().waitFor({ timeout: 20_000 });
  check('the explanation is shown', true);
  await shot('vscode-explained');
  await page.keyboard.press('Control+k');
  await page.keyboard.press('w'); // all editors
  await open('sums.py');

  await at(1);
  await choose('Ambit: write a test', 'vscode-model-actions');
  await eventually('a test file is made', async () => {
    try { return readFileSync(join(PROJECT, 'test_sums.py'), 'utf8').includes('assert total([1, 2]) == 3'); } catch { return false; }
  }, true);
  await page.locator('.tab.active', { hasText: 'test_sums.py' }).waitFor({ timeout: 20_000 });
  await eventually('which is shown', async () => (await shown()).includes('assert total([1, 2]) == 3'), true);
  await shot('vscode-test-written');

  // A diagnostic of VS Code's own linter for style sheets.
  await open('style.css');
  await page.locator('.squiggly-warning').first().waitFor({ timeout: 30_000 });
  await at(2);
  for (let i = 0; i < 4; i++) await page.keyboard.press('ArrowRight');
  await choose('Ambit: fix', 'vscode-fix-diagnostic');
  await eventually('the diagnostic is fixed', async () => /^ *color:/m.test(await shown()), true);
  await page.locator('.squiggly-warning').first().waitFor({ state: 'detached', timeout: 20_000 });
  check('and gone', true);
  await shot('vscode-fixed-diagnostic');
  check('no request left the machine', outside.size === 0, [...outside].join(' '));
});
