import { describe } from "./describe";
import type { AppEvent } from "./events";

export interface Line {
  day: string;
  text: string;
}

/** The feed, newest first, with the day each line belongs to. */
export function feed(events: readonly AppEvent[]): Line[] {
  return [...events]
    .sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0))
    .map((event) => ({ day: event.at.slice(0, 10), text: describe(event) }));
}

/** A sample for the preview page. */
export const SAMPLE: readonly AppEvent[] = [
  { kind: "pushed", actor: "ann", at: "2024-05-01T10:00:00Z", count: 2 },
  { kind: "opened", actor: "bob", at: "2024-05-01T11:30:00Z", title: "Add search" },
  { kind: "closed", actor: "ann", at: "2024-05-02T09:15:00Z", title: "Add search", merged: true },
];
