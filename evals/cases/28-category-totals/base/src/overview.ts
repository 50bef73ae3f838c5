import type { Category } from "./categories";
import type { Line } from "./parse";

export interface Row {
  category: Category;
  cents: number;
}

/** What was spent by category in a month such as `2024-05`. */
export function overview(lines: readonly Line[], month: string): Row[] {
  const totals = new Map<Category, number>();
  for (const line of lines) {
    if (!line.day.startsWith(`${month}-`)) continue;
    totals.set(line.category, (totals.get(line.category) ?? 0) + line.cents);
  }
  return [...totals].map(([category, cents]) => ({ category, cents }));
}

export function format(rows: readonly Row[]): string {
  return rows
    .map(({ category, cents }) => `${category.padEnd(8)}${(cents / 100).toFixed(2).padStart(10)}`)
    .join("\n");
}
