// The item in the status bar, and the page behind it.
import * as vscode from 'vscode';
import { FeatureState, LanguageClient, State, StaticFeature } from 'vscode-languageclient/node';
import { execute } from './client';
import { serverCommands, statusMethod, StatusParams } from './protocol';

let item: vscode.StatusBarItem;

const icons: Record<string, string> = {
  starting: '$(loading~spin)',
  loading: '$(loading~spin)',
  indexing: '$(sync~spin)',
  busy: '$(loading~spin)',
  ready: '$(circle-filled)',
  inactive: '$(circle-slash)',
  error: '$(warning)',
  stopped: '$(debug-disconnect)',
};

function show(state: string, message?: string): void {
  item.text = `${icons[state] ?? ''} Ambit`;
  item.tooltip = `Ambit: ${state}${message ? ` (${message})` : ''}`;
  item.accessibilityInformation = { label: item.tooltip };
  item.backgroundColor = state === 'error' ? new vscode.ThemeColor('statusBarItem.warningBackground') : undefined;
}

/** Tells the server that someone reads `ambit/status`. */
const wantsStatus: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    capabilities.experimental = { ...(capabilities.experimental as object | undefined), ambitStatus: true };
  },
  initialize: () => {},
  getState: (): FeatureState => ({ kind: 'static' }),
  clear: () => {},
};

/** Follows one client: its own state, and what the server says. */
export function watchStatus(client: LanguageClient): void {
  client.registerFeature(wantsStatus);
  client.onDidChangeState(({ newState }) => {
    if (newState === State.Starting) show('starting');
    if (newState === State.Running) show('ready');
    if (newState === State.Stopped) show('stopped');
  });
  client.onNotification(statusMethod, (params: StatusParams) => show(params.state, params.message));
}

async function showReport(): Promise<void> {
  const report = await execute<unknown>(serverCommands.status);
  if (report === undefined) return;
  const document = await vscode.workspace.openTextDocument({ language: 'json', content: JSON.stringify(report, null, 2) });
  await vscode.window.showTextDocument(document, { preview: true });
}

export function activate(context: vscode.ExtensionContext): void {
  item = vscode.window.createStatusBarItem('ambit.status', vscode.StatusBarAlignment.Right, 100);
  item.name = 'Ambit';
  item.command = 'ambit.showStatus';
  show('starting');
  item.show();
  context.subscriptions.push(item, vscode.commands.registerCommand('ambit.showStatus', showReport));
}
