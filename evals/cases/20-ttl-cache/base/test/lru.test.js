import assert from "node:assert/strict";
import { test } from "node:test";

import { LruCache } from "../src/lru.js";

test("drops the least recently used entry", () => {
  const cache = new LruCache({ max: 2 });
  cache.set("a", 1).set("b", 2);
  cache.get("a");
  cache.set("c", 3);
  assert.equal(cache.get("a"), 1);
  assert.equal(cache.get("b"), undefined);
  assert.equal(cache.size, 2);
});

test("wants a sensible size", () => {
  assert.throws(() => new LruCache({ max: 0 }), RangeError);
});
