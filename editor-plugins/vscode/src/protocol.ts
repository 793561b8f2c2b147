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
  refactorHunks: 'ambit.refactor.hunks',
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
  title: string;
  files: number;
  hunks: number;
  conflicts: { path: string; line: number; reason: string }[];
}

/** What is left of an applied change; undo takes the numbers of its hunks, from 1. */
export interface ChangeHunks {
  id: string;
  title: string;
  hunks: { path: string; line: number; removed: string; added: string }[];
}

export interface Explanation {
  text: string;
  uri: string;
}
