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
} as const;

export interface ReviewResult {
  findings: number;
}

export interface RefactorPlan {
  id: string;
  message?: string;
}

export interface RefactorPreview {
  diff: string;
}
