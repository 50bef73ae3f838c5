import type { AppEvent } from "./events";

/** The line of the feed for an event. */
export function describe(event: AppEvent): string {
  if (event.kind === "pushed") {
    const noun = event.count === 1 ? "commit" : "commits";
    return `${event.actor} pushed ${event.count} ${noun}`;
  }
  if (event.kind === "opened") {
    return `${event.actor} opened “${event.title}”`;
  }
  if (event.kind === "closed") {
    return `${event.actor} ${event.merged ? "merged" : "closed"} “${event.title}”`;
  }
  return `${event.actor} commented on “${event.title}”`;
}
