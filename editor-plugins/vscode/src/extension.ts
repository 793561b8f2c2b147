// Ambit for VS Code: starts `ambit lsp` and shows what it offers. Each feature registers its commands in its own file.
import * as vscode from 'vscode';
import * as client from './client';
import * as inlineCompletion from './inline_completion';
import * as refactor from './refactor';
import * as review from './review';
import * as status from './status';

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  for (const feature of [status, inlineCompletion, refactor, review]) feature.activate(context);
  const restart = async (): Promise<void> => {
    await client.stop();
    await client.start(context);
  };
  context.subscriptions.push(
    vscode.commands.registerCommand('ambit.restartServer', restart),
    vscode.commands.registerCommand('ambit.showLog', client.showLog),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration('ambit.path') || event.affectsConfiguration('ambit.arguments')) void restart();
    }),
  );
  await client.start(context);
}

export function deactivate(): Promise<void> {
  return client.stop();
}
