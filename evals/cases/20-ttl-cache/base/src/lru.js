/** A cache that holds at most `max` entries and drops the least recently used one. */
export class LruCache {
  #entries = new Map(); // in order of use, the oldest first
  #max;

  constructor({ max }) {
    if (!Number.isInteger(max) || max < 1) throw new RangeError("max must be at least 1");
    this.#max = max;
  }

  get size() {
    return this.#entries.size;
  }

  get(key) {
    if (!this.#entries.has(key)) return undefined;
    const value = this.#entries.get(key);
    this.#entries.delete(key);
    this.#entries.set(key, value);
    return value;
  }

  set(key, value) {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#max) {
      this.#entries.delete(this.#entries.keys().next().value);
    }
    return this;
  }
}
