import type { Message } from "./message";

export interface DeadLetter {
  message: Message;
  reason: string;
}

/** Messages for a human to look at. */
export class DeadLetters {
  readonly letters: DeadLetter[] = [];

  async add(message: Message, error: unknown): Promise<void> {
    const reason = error instanceof Error ? error.message : String(error);
    this.letters.push({ message, reason });
  }
}
