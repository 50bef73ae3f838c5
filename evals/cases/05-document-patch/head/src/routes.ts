import type { Documents } from "./documents.ts";
import type { Members } from "./members.ts";
import type { Request, Response } from "./types.ts";

export interface Services {
  members: Members;
  documents: Documents;
}

const NOT_FOUND: Response = { status: 404, body: { error: "not found" } };
const FORBIDDEN: Response = { status: 403, body: { error: "forbidden" } };

export async function getDocument(services: Services, request: Request): Promise<Response> {
  const { projectId, documentId } = request.params;
  if (!(await services.members.allows(projectId, request.user.id, "viewer"))) return FORBIDDEN;
  const document = await services.documents.find(documentId);
  if (document === undefined || document.projectId !== projectId) return NOT_FOUND;
  return { status: 200, body: document };
}

export async function renameDocument(services: Services, request: Request): Promise<Response> {
  const { projectId, documentId } = request.params;
  if (!(await services.members.allows(projectId, request.user.id, "editor"))) return FORBIDDEN;
  const title = readTitle(request.body);
  if (title === null) return { status: 422, body: { error: "title must be 1 to 200 characters" } };
  const renamed = await services.documents.update(documentId, {
    title,
    updatedBy: request.user.id,
  });
  if (renamed === undefined) return NOT_FOUND;
  return { status: 200, body: renamed };
}

function readTitle(body: unknown): string | null {
  if (typeof body !== "object" || body === null) return null;
  const title = (body as { title?: unknown }).title;
  if (typeof title !== "string") return null;
  const trimmed = title.trim();
  return trimmed.length >= 1 && trimmed.length <= 200 ? trimmed : null;
}
