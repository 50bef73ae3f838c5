import { isStoredDraft } from "./types.ts";
import type { Draft } from "./types.ts";
import { upgradeDraft } from "./upgrade.ts";

export interface KeyValue {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

const PREFIX = "draft:";

export function saveDraft(storage: KeyValue, id: string, draft: Draft): void {
  storage.setItem(PREFIX + id, JSON.stringify(draft));
}

/** The stored draft, or null when there is none that this version can read. */
export function loadDraft(storage: KeyValue, id: string): Draft | null {
  const text = storage.getItem(PREFIX + id);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isStoredDraft(value) ? upgradeDraft(value) : null;
}
