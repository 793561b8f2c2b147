// Refactor: an instruction becomes a plan, the plan is shown as a diff, and applied or left.
import * as vscode from 'vscode';
import { execute } from './client';
import { RefactorPlan, RefactorPreview, serverCommands } from './protocol';

let lastApplied: string | undefined;

async function refactor(): Promise<void> {
  const instruction = await vscode.window.showInputBox({
    prompt: 'What shall change in the repository?',
    placeHolder: 'rename Session to Connection',
  });
  if (!instruction) return;
  const uri = vscode.window.activeTextEditor?.document.uri ?? vscode.workspace.workspaceFolders?.[0]?.uri;
  const plan = await vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: 'Ambit plans the change' },
    () => execute<RefactorPlan>(serverCommands.refactor, { instruction, uri: uri?.toString() }),
  );
  if (!plan) return;
  if (!plan.id) {
    void vscode.window.showInformationMessage(`Ambit: ${plan.message ?? 'nothing to change'}`);
    return;
  }
  const preview = await execute<RefactorPreview>(serverCommands.previewRefactor, { id: plan.id });
  if (!preview) return;
  const document = await vscode.workspace.openTextDocument({ language: 'diff', content: preview.diff });
  await vscode.window.showTextDocument(document, { preview: true });
  const chosen = await vscode.window.showInformationMessage('Apply this change?', { modal: false }, 'Apply', 'Leave');
  if (chosen !== 'Apply') return;
  if ((await execute(serverCommands.applyRefactor, { id: plan.id })) !== undefined) {
    lastApplied = plan.id;
    void vscode.window.setStatusBarMessage('Ambit: applied', 3000);
  }
}

export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(
    vscode.commands.registerCommand('ambit.runRefactor', refactor),
    vscode.commands.registerCommand('ambit.undoRefactor', () => execute(serverCommands.undoRefactor, { id: lastApplied })),
  );
}
