// Inline completion in a real VS Code:  isolated.sh AMBIT node vscode_test.mjs  (driver.mjs says what it needs)
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, drive } from './driver.mjs';

const file = join(process.env.PROJECT, 'src/report.cpp');
await drive(file, async ({ page, editor, eventually, shot, outside }) => {
  // A ghost's first line stands among the editor's own lines, one span a token; the others in a zone below. Monaco draws a
  // space as U+00A0, and Playwright calls these elements hidden, so their text is read.
  const ghost = () => editor.evaluate((node) => {
    const text = (part) => part.textContent.replaceAll('\u00a0', ' ');
    const first = [...node.querySelectorAll('.view-lines .ghost-text, .view-lines .ghost-text-decoration')].map(text).join('');
    return [first, ...[...node.querySelectorAll('.suggest-preview-text .view-line')].map(text)].join('\n');
  });
  const one = 'ledger.owner() + ": " + std::to_string(ledger.balance_cents());';
  await editor.locator('.view-lines').click();
  await page.keyboard.press('Control+Home');
  for (let i = 0; i < 6; i++) await page.keyboard.press('ArrowDown');
  await page.keyboard.press('End');
  await page.keyboard.type('\n  return ', { delay: 20 });
  await eventually('ghost text', ghost, one);
  await shot('vscode-completion');
  await page.keyboard.press('Control+ArrowRight');
  await eventually('a word is accepted, the rest stays on offer', ghost, one.slice('ledger'.length));
  await page.keyboard.press('Tab');
  await eventually('the ghost is gone after Tab', ghost, '');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('End');
  await page.keyboard.type('\n\nvoid close(Ledger& ledger) {\n', { delay: 20 });
  await eventually('ghost text of several lines', ghost, '  const long rest = ledger.balance_cents();\n  ledger.add(-rest);');
  await shot('vscode-several-lines');
  await page.keyboard.press('Tab');
  await page.keyboard.type('\n}');
  await page.keyboard.press('Control+s');
  const want = ['#include <string>', '', '#include "ledger.h"', '', 'namespace books {', '', 'std::string summary(const Ledger& ledger) {',
    `  return ${one}`, '}', '', 'void close(Ledger& ledger) {', '  const long rest = ledger.balance_cents();', '  ledger.add(-rest);', '}',
    '', '}  // namespace books', ''].join('\n');
  await eventually('the file on disk is right', () => readFileSync(file, 'utf8'), want);
  check('no request left the machine', outside.size === 0, [...outside].join(' '));
});
