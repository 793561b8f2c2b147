// Review: asks for it; the findings come as diagnostics and so stand in the Problems view.
import * as vscode from 'vscode';
import { execute } from './client';
import { ReviewResult, serverCommands } from './protocol';

async function review(): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri ?? vscode.workspace.workspaceFolders?.[0]?.uri;
  const result = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: 'Ambit reviews what is staged' },
    () => execute<ReviewResult>(serverCommands.review, { uri: uri?.toString(), scope: 'staged' }),
  );
  if (!result) return;
  if (result.findings === 0) {
    void vscode.window.showInformationMessage('Ambit: nothing to remark on what is staged.');
  } else {
    void vscode.commands.executeCommand('workbench.actions.view.problems');
  }
}

export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(
    vscode.commands.registerCommand('ambit.runReview', review),
    vscode.commands.registerCommand('ambit.clearReview', () => execute(serverCommands.clearReview)),
  );
}
