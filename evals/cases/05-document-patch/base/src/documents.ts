import type { Document } from "./types.ts";

/** All documents of all projects, by their id. */
export class Documents {
  #byId = new Map<string, Document>();

  async add(document: Document): Promise<void> {
    this.#byId.set(document.id, document);
  }

  async find(id: string): Promise<Document | undefined> {
    return this.#byId.get(id);
  }

  /** Replaces the given fields; undefined when there is no such document. */
  async update(
    id: string,
    fields: Partial<Pick<Document, "title" | "updatedBy">>,
  ): Promise<Document | undefined> {
    const found = this.#byId.get(id);
    if (found === undefined) return undefined;
    const updated = { ...found, ...fields };
    this.#byId.set(id, updated);
    return updated;
  }
}
