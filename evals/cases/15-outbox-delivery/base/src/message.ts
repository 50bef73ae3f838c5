export interface Message {
  id: string;
  channel: "mail" | "push";
  to: string;
  text: string;
}

export interface Transport {
  /** Rejects when the message was not accepted. */
  send(message: Message): Promise<void>;
}
