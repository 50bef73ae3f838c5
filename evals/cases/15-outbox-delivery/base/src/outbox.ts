import type { DeadLetters } from "./deadletters";
import type { Message, Transport } from "./message";

export type Transports = Record<Message["channel"], Transport>;

export class Outbox {
  #queue: Message[] = [];
  readonly #transports: Transports;
  readonly #dead: DeadLetters;

  constructor(transports: Transports, dead: DeadLetters) {
    this.#transports = transports;
    this.#dead = dead;
  }

  add(message: Message): void {
    this.#queue.push(message);
  }

  /** Sends what is queued; returns how many messages were accepted. */
  async flush(): Promise<number> {
    const batch = this.#queue;
    this.#queue = [];
    let sent = 0;
    for (const message of batch) {
      try {
        await this.#transports[message.channel].send(message);
        sent += 1;
      } catch (error) {
        await this.#dead.add(message, error);
      }
    }
    return sent;
  }
}
