import { CATEGORIES } from "./categories";
import type { Category } from "./categories";
import type { Line } from "./parse";

export interface Row {
  category: Category;
  cents: number;
}

/** What was spent by category in a month such as `2024-05`, with a row for each category. */
export function overview(lines: readonly Line[], month: string): Row[] {
  const totals = new Map<Category, number>(CATEGORIES.map((category) => [category, 0]));
  for (const line of lines) {
    if (!line.day.startsWith(`${month}-`)) continue;
    totals.set(line.category, totals.get(line.category)! + line.cents);
  }
  return [...totals].map(([category, cents]) => ({ category, cents }));
}

export function format(rows: readonly Row[]): string {
  return rows
    .map(({ category, cents }) => `${category.padEnd(8)}${(cents / 100).toFixed(2).padStart(10)}`)
    .join("\n");
}
