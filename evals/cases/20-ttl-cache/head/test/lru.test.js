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

test("forgets an entry after its time", () => {
  let now = 0;
  const cache = new LruCache({ max: 2, ttl: 10, now: () => now });
  cache.set("a", 1);
  now = 9;
  assert.equal(cache.get("a"), 1);
  now = 10;
  assert.equal(cache.get("a"), undefined);
  assert.equal(cache.size, 0);
});

test("setting again starts the time anew", () => {
  let now = 0;
  const cache = new LruCache({ max: 2, ttl: 10, now: () => now });
  cache.set("a", 1);
  now = 5;
  cache.set("a", 2);
  now = 14;
  assert.equal(cache.get("a"), 2);
});

test("wants a sensible size", () => {
  assert.throws(() => new LruCache({ max: 0 }), RangeError);
});

test("wants a sensible time", () => {
  assert.throws(() => new LruCache({ max: 1, ttl: 0 }), RangeError);
  assert.throws(() => new LruCache({ max: 1, ttl: NaN }), RangeError);
});
