import type { Role } from "./types.ts";

const RANK: Record<Role, number> = { viewer: 1, editor: 2, owner: 3 };

export class Members {
  #roles = new Map<string, Role>();

  set(projectId: string, userId: string, role: Role): void {
    this.#roles.set(`${projectId}/${userId}`, role);
  }

  async roleOf(projectId: string, userId: string): Promise<Role | undefined> {
    return this.#roles.get(`${projectId}/${userId}`);
  }

  /** Whether the person has at least the given role in the project. */
  async allows(projectId: string, userId: string, atLeast: Role): Promise<boolean> {
    const role = await this.roleOf(projectId, userId);
    return role !== undefined && RANK[role] >= RANK[atLeast];
  }
}
