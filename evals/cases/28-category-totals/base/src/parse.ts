import { isCategory } from "./categories";
import type { Category } from "./categories";

export interface Line {
  day: string;
  category: Category;
  cents: number;
}

/** The lines of a file; throws for the first one that is wrong. */
export function parse(text: string): Line[] {
  return text
    .split("\n")
    .filter((row) => row.trim() !== "")
    .map(parseLine);
}

function parseLine(row: string): Line {
  const match = /^(\d{4}-\d{2}-\d{2});([a-z]+);(\d+)\.(\d{2})$/.exec(row.trim());
  if (match === null) throw new Error(`not an expense: ${row}`);
  const [, day, category, whole, fraction] = match;
  if (!isCategory(category)) throw new Error(`unknown category: ${category}`);
  return { day, category, cents: Number(whole) * 100 + Number(fraction) };
}
