// Review: asks for it; the findings come as diagnostics and so stand in the Problems view.
import * as vscode from 'vscode';
import { execute, executeWithProgress } from './client';
import { ReviewResult, serverCommands } from './protocol';

async function review(): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri ?? vscode.workspace.workspaceFolders?.[0]?.uri;
  const result = await executeWithProgress<ReviewResult>('Ambit reviews what is staged', serverCommands.review,
    { uri: uri?.toString(), scope: 'staged' });
  if (!result) return;
  for (const note of (result.notes ?? []).slice(0, 3)) void vscode.window.showInformationMessage(`Ambit: ${note}`);
  if (result.findings.length === 0) {
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
