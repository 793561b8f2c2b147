// Refactor: an instruction becomes a plan, the plan is shown as a diff, and applied or left. And what is asked about one place:
// rewrite these lines, explain them.
import * as vscode from 'vscode';
import { execute, executeWithProgress } from './client';
import { Explanation, RefactorPlan, RefactorPreview, serverCommands, UndoneRefactor } from './protocol';

let lastApplied: string | undefined;

// Texts of ours are read-only documents, which close without a question.
const scheme = 'ambit-shown';
const shown = new Map<string, string>();

async function show(name: string, text: string, viewColumn?: vscode.ViewColumn): Promise<void> {
  const uri = vscode.Uri.from({ scheme, path: `/${name}` });
  shown.set(uri.path, text);
  await vscode.window.showTextDocument(await vscode.workspace.openTextDocument(uri), { preview: true, viewColumn });
}

// What a person should know before the diff: who does what, and what stays as it is.
function summary(plan: RefactorPlan): string {
  const lines = (plan.steps ?? []).map((step, i) => {
    const unsure = step.unsure.length > 0 ? `, ${step.unsure.length} unsure places stay as they are` : '';
    const what = step.dropped ? 'dropped' : `${step.places} places in ${step.files} files${unsure}`;
    return `# ${i + 1}. ${step.title} (by the ${step.by}: ${what})`;
  });
  for (const note of plan.notes ?? []) lines.push(`# ${note.replaceAll('\n', ' ')}`);
  return lines.length > 0 ? `${lines.join('\n')}\n` : '';
}

async function refactor(): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const instruction = await vscode.window.showInputBox({
    prompt: 'What shall change in the repository?',
    placeHolder: 'rename Session to Connection',
  });
  if (!instruction) return;
  const uri = editor?.document.uri ?? vscode.workspace.workspaceFolders?.[0]?.uri;
  // "rename to NAME" means what stands at the caret.
  const position = /^\s*rename\s+to\s/.test(instruction) ? editor?.selection.active : undefined;
  const plan = await executeWithProgress<RefactorPlan>('Ambit plans the change', serverCommands.refactor,
    { instruction, uri: uri?.toString(), ...(position && { position: { line: position.line, character: position.character } }) });
  if (!plan) return;
  const preview = await execute<RefactorPreview>(serverCommands.previewRefactor, { id: plan.id });
  if (!preview) return;
  await show(`${plan.id}.diff`, summary(plan) + preview.diff);
  const chosen = await vscode.window.showInformationMessage('Apply this change?', { modal: false }, 'Apply', 'Leave');
  if (chosen !== 'Apply') return;
  if ((await execute(serverCommands.applyRefactor, { id: plan.id })) !== undefined) {
    lastApplied = plan.id;
    void vscode.window.setStatusBarMessage('Ambit: applied', 3000);
  }
}

async function undo(): Promise<void> {
  const undone = await execute<UndoneRefactor>(serverCommands.undoRefactor, { id: lastApplied });
  if (!undone) return;
  const kept = undone.conflicts[0];
  if (kept) {
    void vscode.window.showWarningMessage(
      `Ambit: taken back, but for ${undone.conflicts.length} places that you changed since (${kept.path}:${kept.line + 1}).`);
  } else {
    void vscode.window.setStatusBarMessage('Ambit: taken back', 3000);
  }
}

function selected(editor: vscode.TextEditor): { uri: string; range: unknown } {
  const { start, end } = editor.selection;
  const position = (at: vscode.Position) => ({ line: at.line, character: at.character });
  return { uri: editor.document.uri.toString(), range: { start: position(start), end: position(end) } };
}

async function rewrite(): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return;
  const where = selected(editor);
  const instruction = await vscode.window.showInputBox({
    prompt: 'How shall the selected lines change, or the definition at the cursor?',
    placeHolder: 'make this iterative',
  });
  if (instruction) await executeWithProgress('Ambit rewrites', serverCommands.rewrite, { ...where, instruction });
}

async function explain(): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (!editor) return;
  const answer = await executeWithProgress<Explanation>('Ambit reads', serverCommands.explain, selected(editor));
  if (!answer) return;
  await show(answer.uri.slice('ambit-answer:/'.length), answer.text, vscode.ViewColumn.Beside);
}

export function activate(context: vscode.ExtensionContext): void {
  context.subscriptions.push(
    vscode.workspace.registerTextDocumentContentProvider(scheme, { provideTextDocumentContent: (uri) => shown.get(uri.path) ?? '' }),
    vscode.workspace.onDidCloseTextDocument((document) => {
      if (document.uri.scheme === scheme) shown.delete(document.uri.path);
    }),
    vscode.commands.registerCommand('ambit.runRefactor', refactor),
    vscode.commands.registerCommand('ambit.undoRefactor', undo),
    vscode.commands.registerCommand('ambit.runRewrite', rewrite),
    vscode.commands.registerCommand('ambit.runExplain', explain),
  );
}
