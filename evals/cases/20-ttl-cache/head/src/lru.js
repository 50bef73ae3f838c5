/**
 * A cache that holds at most `max` entries and drops the least recently used one.
 *
 * With `ttl`, an entry is gone `ttl` milliseconds after it was set; using it does not prolong that.
 */
export class LruCache {
  #entries = new Map(); // key to { value, expires }, in order of use, the oldest first
  #max;
  #ttl;
  #now;

  constructor({ max, ttl = Infinity, now = () => performance.now() }) {
    if (!Number.isInteger(max) || max < 1) throw new RangeError("max must be at least 1");
    if (typeof ttl !== "number" || !(ttl > 0)) throw new RangeError("ttl must be positive");
    this.#max = max;
    this.#ttl = ttl;
    this.#now = now;
  }

  /** How many entries are held. Expired ones count until they are asked for or dropped. */
  get size() {
    return this.#entries.size;
  }

  get(key) {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (this.#now() >= entry.expires) return undefined;
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key, value) {
    this.#entries.delete(key);
    this.#entries.set(key, { value, expires: this.#now() + this.#ttl });
    if (this.#entries.size > this.#max) {
      this.#entries.delete(this.#entries.keys().next().value);
    }
    return this;
  }
}
