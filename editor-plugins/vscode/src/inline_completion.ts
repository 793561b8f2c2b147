// Completions: VS Code and its client library do the work. Here are the switch and one rule of ours.
import * as vscode from 'vscode';
import type { Middleware } from 'vscode-languageclient/node';

export const inlineCompletionMiddleware: Middleware = {
  provideInlineCompletionItems: (document, position, context, token, next) => {
    // Several cursors write the same text in several places; an offer for one of them is wrong for the others.
    const editor = vscode.window.activeTextEditor;
    if (editor?.document === document && editor.selections.length > 1) return [];
    return next(document, position, context, token);
  },
};

export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(
    vscode.commands.registerCommand('ambit.toggleCompletions', async () => {
      const configuration = vscode.workspace.getConfiguration('ambit');
      const on = !configuration.get<boolean>('completion.enabled', true);
      await configuration.update('completion.enabled', on, vscode.ConfigurationTarget.Global);
      void vscode.window.setStatusBarMessage(`Ambit: completions are ${on ? 'on' : 'off'}`, 3000);
    }),
  );
}
