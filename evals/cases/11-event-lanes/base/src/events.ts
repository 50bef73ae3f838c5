export interface AppEvent {
  kind: "pushed" | "opened" | "closed" | "commented";
  actor: string;
  at: string;
  count?: number;
  title?: string;
  merged?: boolean;
}
