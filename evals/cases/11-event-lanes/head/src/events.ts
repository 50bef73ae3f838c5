interface Base {
  actor: string;
  /** ISO 8601 in UTC. */
  at: string;
}

export interface Pushed extends Base {
  kind: "pushed";
  count: number;
}

export interface Opened extends Base {
  kind: "opened";
  title: string;
}

export interface Closed extends Base {
  kind: "closed";
  title: string;
  merged: boolean;
}

export interface Commented extends Base {
  kind: "commented";
  title: string;
}

export type AppEvent = Pushed | Opened | Closed | Commented;
