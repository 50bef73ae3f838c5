import type { AppEvent } from "./events";

/** The line of the feed for an event. */
export function describe(event: AppEvent): string {
  switch (event.kind) {
    case "pushed": {
      const noun = event.count === 1 ? "commit" : "commits";
      return `${event.actor} pushed ${event.count} ${noun}`;
    }
    case "opened":
      return `${event.actor} opened “${event.title}”`;
    case "closed":
      return `${event.actor} ${event.merged ? "merged" : "closed"} “${event.title}”`;
    case "commented":
      return `${event.actor} commented on “${event.title}”`;
  }
}
