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

const old: Record<number, object> = {
  1: { version: 1, text: "B" },
  2: { version: 2, body: "B" },
  3: { version: 3, title: "", body: "B" },
};

for (const [version, draft] of Object.entries(old)) {
  test(`a draft of version ${version} is brought up to date`, () => {
    const storage = memory({ "draft:a": JSON.stringify(draft) });
    assert.deepEqual(loadDraft(storage, "a"), { version: 4, title: "", body: "B", tags: [] });
  });
}

test("a draft of a later version is left alone", () => {
  assert.equal(loadDraft(memory({ "draft:a": '{"version":5}' }), "a"), null);
});

test("nonsense is no draft", () => {
  assert.equal(loadDraft(memory({ "draft:a": "{" }), "a"), null);
  assert.equal(loadDraft(memory({ "draft:a": "7" }), "a"), null);
});
