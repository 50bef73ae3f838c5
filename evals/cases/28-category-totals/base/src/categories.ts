export const CATEGORIES = ["rent", "food", "travel", "other"] as const;

export type Category = (typeof CATEGORIES)[number];

export function isCategory(text: string): text is Category {
  return (CATEGORIES as readonly string[]).includes(text);
}
