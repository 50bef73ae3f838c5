import assert from "node:assert/strict";
import { test } from "node:test";

import { loadDraft, saveDraft } from "../src/store.ts";

function memory(entries: Record<string, string> = {}) {
  const map = new Map(Object.entries(entries));
  return {
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
  };
}

test("a saved draft comes back", () => {
  const storage = memory();
  saveDraft(storage, "a", { version: 4, title: "T", body: "B", tags: ["x"] });
  assert.equal(loadDraft(storage, "a")?.title, "T");
});

test("nonsense is no draft", () => {
  assert.equal(loadDraft(memory({ "draft:a": "{" }), "a"), null);
  assert.equal(loadDraft(memory({ "draft:a": "7" }), "a"), null);
});
