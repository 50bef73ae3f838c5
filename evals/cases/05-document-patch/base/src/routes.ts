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
