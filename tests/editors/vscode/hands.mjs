// What a person does in VS Code: types a command, answers a question, presses a button, chooses from a menu.
export function hands({ page, editor, shot }) {
  const input = page.locator('.quick-input-widget input').first();
  const shown = () => editor.evaluate((node) =>
    [...node.querySelectorAll('.view-lines .view-line')].map((line) => line.textContent.replaceAll('\u00a0', ' ')).join('\n'));
  const command = async (title) => {
    await page.keyboard.press('F1');
    await input.waitFor();
    await input.fill(`>${title}`);
    // The one that was used last may stand above it.
    await page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first().click();
  };
  const say = async (words) => { // into an input box of the extension
    await page.waitForFunction(() => !document.querySelector('.quick-input-widget input')?.value.startsWith('>'));
    await input.waitFor();
    await input.fill(words);
    await page.keyboard.press('Enter');
  };
  const open = async (name) => {
    await page.keyboard.press('Control+p');
    await input.waitFor();
    await input.fill(name);
    await page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first().waitFor();
    await page.keyboard.press('Enter');
    await page.locator('.tab.active', { hasText: name }).waitFor();
  };
  const message = (words) => page.locator('.notification-list-item', { hasText: words }).first();
  const button = (name) => page.locator('.notification-list-item .monaco-button', { hasText: name }).first();
  const atLine = async (line) => {
    await page.keyboard.press('Control+Home');
    for (let i = 1; i < line; i++) await page.keyboard.press('ArrowDown');
  };
  // The menu of code actions; a slow machine may close it before it is filled.
  const choose = async (words, picture) => {
    const row = page.locator('.action-widget .monaco-list-row').filter({ hasText: words }).first();
    for (let tries = 0; tries < 10 && !(await row.isVisible()); tries++) {
      await page.keyboard.press('Control+.');
      await row.waitFor({ timeout: 5000 }).catch(() => page.keyboard.press('Escape'));
    }
    await shot(picture);
    await row.click();
  };
  return { input, shown, command, say, open, message, button, atLine, choose };
}
