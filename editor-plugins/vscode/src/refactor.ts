// Refactor: an instruction becomes a plan, the plan is shown as a diff, and applied or left. And what is asked about one place:
// rewrite these lines, explain them.
import * as vscode from 'vscode';
import { execute, executeWithProgress } from './client';
import { ChangeHunks, Explanation, RefactorPlan, RefactorPreview, serverCommands, UndoneRefactor } from './protocol';

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
  // The message leaves after a while; the button above the diff stays.
  const chosen = await vscode.window.showInformationMessage('Apply this change?', { modal: false }, 'Apply', 'Leave');
  if (chosen === 'Apply') await apply(plan.id);
}

async function apply(id: string): Promise<void> {
  if ((await execute(serverCommands.applyRefactor, { id })) === undefined) return;
  lastApplied = id;
  void vscode.window.setStatusBarMessage('Ambit: applied', 3000);
}

// The plan that the diff in front shows.
async function applyShown(): Promise<void> {
  const uri = vscode.window.activeTextEditor?.document.uri;
  if (uri?.scheme === scheme && uri.path.endsWith('.diff')) await apply(uri.path.slice(1, -'.diff'.length));
}

async function undo(what: { id?: string; hunks?: number[] } = { id: lastApplied }): Promise<void> {
  const undone = await execute<UndoneRefactor>(serverCommands.undoRefactor, what);
  if (!undone) return;
  if (!what.hunks) lastApplied = undefined;
  const done = `${undone.hunks} places in ${undone.files} files of "${undone.title}"`;
  const kept = undone.conflicts[0];
  if (kept) {
    void vscode.window.showWarningMessage(
      `Ambit: taken back ${done}, but for ${undone.conflicts.length} places that you changed since (${kept.path}:${kept.line + 1}).`);
  } else if (undone.hunks === 0) {
    void vscode.window.showInformationMessage('Ambit: nothing of it is left to take back.');
  } else {
    void vscode.window.setStatusBarMessage(`Ambit: taken back ${done}`, 5000);
  }
}

async function undoHunks(): Promise<void> {
  const change = await execute<ChangeHunks>(serverCommands.refactorHunks, { id: lastApplied });
  if (!change) return;
  const items = change.hunks.map((hunk, i) => ({
    label: (hunk.added || hunk.removed).trim().split('\n', 1)[0] ?? '',
    description: `${hunk.path}:${hunk.line + 1}`,
    detail: hunk.added ? `was: ${hunk.removed.trim().split('\n', 1)[0] ?? ''}` : 'was removed',
    number: i + 1,
  }));
  const chosen = await vscode.window.showQuickPick(items, {
    canPickMany: true, matchOnDescription: true, title: change.title, placeHolder: 'Which places shall be as before?',
  });
  if (chosen && chosen.length > 0) await undo({ id: change.id, hunks: chosen.map((item) => item.number) });
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
    vscode.commands.registerCommand('ambit.applyRefactor', applyShown),
    vscode.commands.registerCommand('ambit.undoRefactor', () => undo()),
    vscode.commands.registerCommand('ambit.undoRefactorHunks', undoHunks),
    vscode.commands.registerCommand('ambit.runRewrite', rewrite),
    vscode.commands.registerCommand('ambit.runExplain', explain),
  );
}
