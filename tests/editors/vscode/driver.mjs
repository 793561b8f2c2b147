// A real VS Code (code-server's build of it, in Chromium) with the extension and the real daemon, for one test.
// Environment: CODE_SERVER its npm package, NODE_CS the node it was built for, PLAYWRIGHT the folder with playwright-core,
// CHROMIUM the browser, VSIX the packaged extension, SHOTS a folder for screenshots.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';

const { CODE_SERVER, NODE_CS, PLAYWRIGHT, CHROMIUM, VSIX, SHOTS, WORK, PROJECT, AMBIT } = process.env;
const { chromium } = createRequire(join(PLAYWRIGHT, 'package.json'))('playwright-core');
const began = Date.now();
let passed = 0;
let failed = 0;
export const check = (name, ok, detail = '') => {
  if (ok) passed++;
  else failed++;
  console.log(`${ok ? 'ok  ' : 'FAIL'} [${((Date.now() - began) / 1000).toFixed(1)} s] ${name}${ok ? '' : `: ${detail}`}`);
};

const dirs = Object.fromEntries(['user', 'extensions', 'chrome'].map((name) => [name, join(WORK, name)]));
for (const dir of Object.values(dirs)) mkdirSync(dir);
mkdirSync(join(dirs.user, 'User'));
mkdirSync(join(dirs.user, 'Machine')); // where a remote window reads what belongs to the machine
writeFileSync(join(dirs.user, 'Machine', 'settings.json'), JSON.stringify({ 'ambit.path': AMBIT }));
writeFileSync(join(dirs.user, 'User', 'settings.json'), JSON.stringify({
  'ambit.path': AMBIT,
  'editor.quickSuggestions': { other: 'off', comments: 'off', strings: 'off' }, // their list would take Tab first
  'editor.wordBasedSuggestions': 'off',
  'editor.autoClosingBrackets': 'never',
  'editor.autoIndent': 'none',
  'editor.minimap.enabled': false,
  'editor.fontSize': 15,
  'workbench.startupEditor': 'none',
  'workbench.tips.enabled': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.enableExperiments': false,
  'chat.disableAIFeatures': true,
  'security.workspace.trust.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'extensions.autoCheckUpdates': false,
  'git.enabled': false,
  'typescript.tsserver.enabled': false,
}));

const port = await new Promise((resolve) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port: free } = server.address();
    server.close(() => resolve(free));
  });
});
const common = [join(CODE_SERVER, 'out/node/entry.js'), '--config', join(WORK, 'code-server.yaml'),
  '--user-data-dir', dirs.user, '--extensions-dir', dirs.extensions];
const env = { ...process.env, EXTENSIONS_GALLERY: '{"serviceUrl":""}' }; // no marketplace
execFileSync(NODE_CS, [...common, '--install-extension', VSIX], { env });
check('the extension installs', true);

const server = spawn(NODE_CS, [...common, '--auth', 'none', '--bind-addr', `127.0.0.1:${port}`, '--disable-telemetry',
  '--disable-update-check', '--disable-workspace-trust', '--disable-getting-started-override', '--disable-proxy',
  '--ignore-last-opened', PROJECT], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
let output = '';
for (const stream of [server.stdout, server.stderr]) stream.on('data', (data) => { output += data; });


/** Opens FILE of the project and runs test({page, editor, eventually, shot, outside}); ends the process with the verdict. */
export async function drive(file, test) {
  let browser;
  try {
    for (let i = 0; ; i++) {
      if (await fetch(`http://127.0.0.1:${port}/healthz`).then((r) => r.ok, () => false)) break;
      if (i > 300) throw new Error('code-server did not start');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    browser = await chromium.launchPersistentContext(dirs.chrome, {
      executablePath: CHROMIUM, headless: true, viewport: { width: 1000, height: 520 },
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
    });
    const page = browser.pages()[0] ?? await browser.newPage();
    page.setDefaultTimeout(60_000); // a machine may be busy
    const outside = new Set();
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (/^(http|ws)/.test(url.protocol) && url.hostname !== '127.0.0.1') outside.add(url.hostname);
    });
    const payload = JSON.stringify([['openFile', `vscode-remote://127.0.0.1:${port}${file}`]]);
    await page.goto(`http://127.0.0.1:${port}/?folder=${encodeURIComponent(PROJECT)}&payload=${encodeURIComponent(payload)}`, { timeout: 120_000 });
    const editor = page.locator('.editor-instance .monaco-editor').first();
    await editor.waitFor({ timeout: 120_000 });
    check('the editor is open', true);

    const eventually = async (name, read, wanted, ms = 40_000) => {
      const end = Date.now() + ms;
      let last;
      do {
        last = await read();
        if (last === wanted) break;
        await page.waitForTimeout(30);
      } while (Date.now() < end);
      check(name, last === wanted, JSON.stringify(last));
    };
    const shot = (name) => SHOTS && page.screenshot({ path: join(SHOTS, `${name}.png`) });
    const statusText = () => page.evaluate(() =>
      document.querySelector('.statusbar-item[id="ambit.ambit.ambit.status"], .statusbar-item[aria-label^="Ambit"]')?.getAttribute('aria-label') ?? '');
    const statusIs = (name, state) => eventually(name, async () => (await statusText()).includes(state), true, 60_000);
    await statusIs('the status bar says ready', 'ready');
    await test({ page, editor, eventually, shot, outside });
  } catch (error) {
    check('the run ends well', false, error.stack);
    if (SHOTS) await browser?.pages()[0]?.screenshot({ path: join(SHOTS, `${basename(process.argv[1], '.mjs')}-failure.png`) }).catch(() => {});
    console.log(output.split('\n').slice(-15).join('\n'));
  } finally {
    await browser?.close();
    try { process.kill(-server.pid, 'SIGTERM'); } catch { /* it has ended */ }
    await new Promise((resolve) => { server.on('exit', resolve); setTimeout(resolve, 5000); });
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
