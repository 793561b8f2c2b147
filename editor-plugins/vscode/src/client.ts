// Starts `ambit lsp` and keeps it running; one client per window.
import * as vscode from 'vscode';
import { ExecuteCommandRequest, LanguageClient, LanguageClientOptions, ServerOptions } from 'vscode-languageclient/node';
import { inlineCompletionMiddleware } from './inline_completion';
import { serverCommands } from './protocol';
import { watchStatus } from './status';

let client: LanguageClient | undefined;
let log: vscode.LogOutputChannel;

/** The settings that someone has set, nested. VS Code's defaults stay here: they would hide what config.toml says. */
export function explicitSettings(scope?: vscode.Uri): Record<string, unknown> {
  const extension = vscode.extensions.getExtension('ambit.ambit');
  const properties = extension?.packageJSON.contributes.configuration.properties as Record<string, { 'x-client'?: boolean }>;
  const configuration = vscode.workspace.getConfiguration('ambit', scope);
  const settings: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(properties ?? {})) {
    if (property['x-client']) continue;
    const key = name.slice('ambit.'.length);
    const found = configuration.inspect(key);
    const value = found?.workspaceFolderValue ?? found?.workspaceValue ?? found?.globalValue;
    if (value === undefined) continue;
    const path = key.split('.');
    let node = settings;
    for (const part of path.slice(0, -1)) node = (node[part] ??= {}) as Record<string, unknown>;
    node[path[path.length - 1]!] = value;
  }
  return settings;
}

function options(): LanguageClientOptions {
  return {
    documentSelector: [{ scheme: 'file' }, { scheme: 'untitled' }],
    outputChannel: log,
    initializationOptions: explicitSettings(),
    middleware: {
      ...inlineCompletionMiddleware,
      workspace: {
        configuration: (params) =>
          params.items.map((item) => {
            const settings = explicitSettings(item.scopeUri ? vscode.Uri.parse(item.scopeUri) : undefined);
            const path = (item.section ?? 'ambit').split('.').slice(1);
            return path.reduce<unknown>((node, part) => (node as Record<string, unknown> | undefined)?.[part], settings) ?? null;
          }),
        // The server asks for what it needs when it hears that something changed.
        didChangeConfiguration: async () => client?.sendNotification('workspace/didChangeConfiguration', { settings: null }),
      },
    },
  };
}

export async function start(context: vscode.ExtensionContext): Promise<void> {
  log ??= vscode.window.createOutputChannel('Ambit', { log: true });
  context.subscriptions.push(log);
  const configuration = vscode.workspace.getConfiguration('ambit');
  const command = configuration.get<string>('path') || 'ambit';
  const server: ServerOptions = { command, args: ['lsp', ...configuration.get<string[]>('arguments', [])] };
  client = new LanguageClient('ambit', 'Ambit', server, options());
  watchStatus(client);
  try {
    await client.start();
    // The palette shows the commands that this server can carry out.
    const offered = client.initializeResult?.capabilities.executeCommandProvider?.commands ?? [];
    void vscode.commands.executeCommand('setContext', 'ambit.offersReview', offered.includes(serverCommands.review));
    void vscode.commands.executeCommand('setContext', 'ambit.offersRefactor', offered.includes(serverCommands.refactor));
  } catch (error) {
    log.error(String(error));
    const chosen = await vscode.window.showErrorMessage(
      `Ambit: '${command} lsp' does not start. Build it as the README says, or set where it is.`, 'Set the Path', 'Show Log');
    if (chosen === 'Set the Path') void vscode.commands.executeCommand('workbench.action.openSettings', 'ambit.path');
    if (chosen === 'Show Log') log.show();
  }
}

export async function stop(): Promise<void> {
  const old = client;
  client = undefined;
  if (old?.needsStop()) await old.stop();
}

export function showLog(): void {
  log.show();
}

/** The same with a notification that can cancel it. */
export async function executeWithProgress<T>(title: string, command: string, argument: unknown): Promise<T | undefined> {
  return vscode.window.withProgress({ location: vscode.ProgressLocation.Notification, title, cancellable: true },
    (_progress, token) => run<T>(command, [argument], token));
}

/** Runs a server command; an error is shown once and answered with undefined. */
export async function execute<T>(command: string, ...args: unknown[]): Promise<T | undefined> {
  return run<T>(command, args);
}

async function run<T>(command: string, args: unknown[], token?: vscode.CancellationToken): Promise<T | undefined> {
  if (!client?.isRunning()) {
    void vscode.window.showWarningMessage('Ambit is not running; its log says why.');
    return undefined;
  }
  try {
    return (await client.sendRequest(ExecuteCommandRequest.type, { command, arguments: args }, token)) as T;
  } catch (error) {
    if (token?.isCancellationRequested) return undefined;
    void vscode.window.showErrorMessage(`Ambit: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
