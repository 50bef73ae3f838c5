import { CURRENT_VERSION } from "./types.ts";
import type { Draft, StoredDraft } from "./types.ts";

/** The draft in the current shape, or null when its version is not known here. */
export function upgradeDraft(stored: StoredDraft): Draft | null {
  const { version, ...fields } = stored;
  switch (version) {
    case 1:
      fields.body = fields.text;
      delete fields.text;
    case 2:
      fields.title = "";
    case 3:
      fields.tags = [];
    case 4:
      return { ...fields, version: CURRENT_VERSION } as Draft;
    default:
      return null;
  }
}
