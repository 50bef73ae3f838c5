/**
 * The stored shape of a draft.
 *
 * 1: { version, text }
 * 2: `text` was renamed to `body`
 * 3: `title` was added; empty for drafts that had none
 * 4: `tags` was added; empty for drafts that had none
 */
export const CURRENT_VERSION = 4;

export interface Draft {
  version: typeof CURRENT_VERSION;
  title: string;
  body: string;
  tags: string[];
}

export interface StoredDraft {
  version: number;
  [field: string]: unknown;
}

export function isStoredDraft(value: unknown): value is StoredDraft {
  return (
    typeof value === "object" &&
    value !== null &&
    Number.isInteger((value as { version?: unknown }).version)
  );
}
