// What goes over the wire beside LSP 3.18, as docs/protocol.md says.

/** Notification from the server: what it is doing. */
export const statusMethod = 'ambit/status';

export interface StatusParams {
  state: 'ready' | 'loading' | 'indexing' | 'busy' | 'inactive' | 'error';
  message?: string;
}

/** Server commands of workspace/executeCommand. The extension registers none of these ids: the client library does. */
export const serverCommands = {
  status: 'ambit.status',
  review: 'ambit.review',
  clearReview: 'ambit.review.clear',
  refactor: 'ambit.refactor',
  previewRefactor: 'ambit.refactor.preview',
  applyRefactor: 'ambit.refactor.apply',
  undoRefactor: 'ambit.refactor.undo',
  rewrite: 'ambit.rewrite',
  explain: 'ambit.explain',
} as const;

export interface ReviewResult {
  findings: unknown[];
  notes?: string[];
}

export interface RefactorPlan {
  id: string;
  steps?: { title: string; by: 'index' | 'model'; places: number; files: number; unsure: unknown[]; dropped: boolean }[];
  notes?: string[];
}

export interface RefactorPreview {
  diff: string;
}

export interface UndoneRefactor {
  conflicts: { path: string; line: number; reason: string }[];
}

export interface Explanation {
  text: string;
  uri: string;
}
