// Writes the daemon's settings into package.json, so that the extension offers exactly those:
//     ambit config schema | node settings.mjs          writes
//     ambit config schema | node settings.mjs --check  exit code 1 when they differ
import { readFileSync, writeFileSync } from 'node:fs';

const manifestFile = new URL('package.json', import.meta.url);
const manifest = JSON.parse(readFileSync(manifestFile, 'utf8'));
const schema = JSON.parse(readFileSync(0, 'utf8'));

// Read by the extension alone; "x-client" keeps them out of what is compared with the daemon's list.
const own = {
  'ambit.path': { type: 'string', default: '', scope: 'machine-overridable', 'x-client': true,
    description: "The program. Empty: 'ambit' on the path." },
  'ambit.arguments': { type: 'array', items: { type: 'string' }, default: [], scope: 'machine-overridable', 'x-client': true,
    description: "More arguments for 'ambit lsp'." },
  'ambit.trace.server': { type: 'string', enum: ['off', 'messages', 'verbose'], default: 'off', scope: 'window', 'x-client': true,
    description: 'Writes the messages between VS Code and Ambit to the log.' },
};
const properties = { ...own };
for (const [key, { description, ...rest }] of Object.entries(schema.properties)) {
  properties[`ambit.${key}`] = { ...rest, scope: 'resource', markdownDescription: description };
}
const before = JSON.stringify(manifest.contributes.configuration.properties);
if (process.argv.includes('--check')) {
  if (before !== JSON.stringify(properties)) {
    console.error('package.json does not have the settings of `ambit config schema`; run: ambit config schema | node editor-plugins/vscode/settings.mjs');
    process.exit(1);
  }
} else {
  manifest.contributes.configuration.properties = properties;
  writeFileSync(manifestFile, JSON.stringify(manifest, null, 2) + '\n');
}
