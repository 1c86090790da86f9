/** Work of a run that is neither talk nor access: it begins with its making. */
export interface WorkloadPart {
  /** Nothing new is begun until resume(). */
  pause(): void;
  resume(): void;
  /** Nothing new is begun any more; resolves when nothing is about to begin. */
  stop(): Promise<void>;
  /** Resolves to true when nothing of it waits for an answer, and adds nothing to a log later. */
  settled(deadlineMs: number): Promise<boolean>;
  /** After all readers had everything: looks at what holds now, and records it. */
  look(healedAt: number): Promise<void>;
}
