export type Role = "viewer" | "editor" | "owner";

export interface User {
  id: string;
  email: string;
}

export interface Document {
  id: string;
  projectId: string;
  title: string;
  updatedBy: string;
}

export interface Request {
  user: User;
  params: Record<string, string>;
  body: unknown;
}

export interface Response {
  status: number;
  body?: unknown;
}
