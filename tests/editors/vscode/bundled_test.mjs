// Ambit as it comes, with the bundled model and no setting, in a real VS Code:  isolated.sh AMBIT node bundled_test.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, drive } from './driver.mjs';
import { hands } from './hands.mjs';

const file = join(process.env.PROJECT, 'src/statement.cpp');
const lines = ['#include "ledger.h"', '', 'namespace books {', '',
  'static long rounded(long cents) { return cents / 100 * 100; }', '',
  'long spent(const std::vector<long>& entries) {', '  long spent = 0;',
  '  for (const long entry : entries) {', '    if (entry < 0) spent -= rounded(entry);', '  }', '  return spent;', '}', '',
  'long earned(const std::vector<long>& entries) {', '  long earned = 0;', '}', '', '}  // namespace books', ''];
writeFileSync(file, lines.join('\n'));
await drive(file, async ({ page, editor, eventually, shot, outside }) => {
  const ghost = () => editor.evaluate((node) =>
    [...node.querySelectorAll('.view-lines .ghost-text, .view-lines .ghost-text-decoration')]
      .map((part) => part.textContent.replaceAll('\u00a0', ' ')).join(''));
  await editor.locator('.view-lines').click();
  await page.keyboard.press('Control+Home');
  for (let i = 0; i < 15; i++) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('End');
  // The repository may still be read when the first key comes: what is typed again is asked again.
  await page.keyboard.type('\n  for (const', { delay: 20 });
  await eventually('ghost text from the repository', async () => {
    const now = await ghost();
    if (now.includes('long entry : entries')) return true;
    await page.keyboard.press('Backspace');
    await page.keyboard.type('t', { delay: 20 });
    await page.waitForTimeout(300);
    return (await ghost()).includes('long entry : entries');
  }, true);
  await shot('vscode-bundled');
  await page.keyboard.press('Tab');
  await eventually('it is taken', async () => (await ghost()).includes('long entry'), false);
  await page.keyboard.press('Control+s');
  await eventually('the file on disk has it', () => readFileSync(file, 'utf8').split('for (const long entry : entries)').length, 3);

  // What the index does works with this model; what it cannot do is said.
  const { command, say, message, button } = hands({ page, editor, shot });
  await command('Ambit: Explain the Selection');
  await message('ambit-nano is too small to judge code: explanations want DeepSeek-V4').waitFor({ timeout: 20_000 });
  check('explain says which model it wants', true);
  await shot('vscode-bundled-explain');
  await command('Notifications: Clear All Notifications');
  await command('Ambit: Refactor the Repository');
  await say('make the code nicer');
  await message('ambit-nano is too small to judge code: changes that need judgement want DeepSeek-V4').waitFor({ timeout: 20_000 });
  check('and so does a change that needs judgement', true);
  await command('Notifications: Clear All Notifications');
  await command('Ambit: Refactor the Repository');
  await say('rename rounded to floored');
  await button('Apply').waitFor({ timeout: 20_000 });
  await button('Apply').click();
  await page.keyboard.press('Control+w'); // the diff
  await eventually('a rename works', async () => {
    await page.keyboard.press('Control+s');
    return readFileSync(file, 'utf8').split('floored(').length;
  }, 3);
  check('no request left the machine', outside.size === 0, [...outside].join(' '));
});
