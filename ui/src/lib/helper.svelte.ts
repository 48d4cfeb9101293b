// The privileged helper as the window knows it, and the one thing at a time that is asked of it. Most of that waits for
// an administrator, who may take long, never come, or say no.

import { failureOf, type Backend } from './backend';
import type { Command, Event, Failure, GrantRow, HelperState, Reply } from './bindings';

export type Task = 'set-up' | 'remove' | 'revoke' | 'restore';

export interface Waiting {
  task: Task;
  since: number;
}

export class Helper {
  /** Null until the engine has said it. */
  state = $state.raw<HelperState | null>(null);
  waiting = $state.raw<Waiting | null>(null);
  /** Why the last thing was not done. */
  failure = $state.raw<Failure | null>(null);
  /** What the last thing did, in words. */
  done = $state('');

  readonly #backend: Backend;
  #asked = 0;
  #heard = 0;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  readonly me: GrantRow | undefined = $derived(this.state?.grants.find((row) => row.me));

  hear(event: Event): void {
    if (event.type !== 'helper') return;
    this.#heard += 1;
    this.state = event.helper;
  }

  /** Asks for the state as it is now. */
  async look(): Promise<void> {
    const heard = this.#heard;
    try {
      const reply = await this.#backend.command({ type: 'helper' });
      // What was heard meanwhile is newer.
      if (reply.type === 'helper' && heard === this.#heard) this.state = reply.helper;
    } catch (error) {
      this.failure = failureOf(error);
    }
  }

  /** The answer, or null when it was refused or is no longer waited for. */
  async ask(task: Task, command: Command): Promise<Reply | null> {
    const asked = ++this.#asked;
    this.clear();
    this.waiting = { task, since: Date.now() };
    try {
      const reply = await this.#backend.command(command);
      return asked === this.#asked ? reply : null;
    } catch (error) {
      if (asked === this.#asked) this.failure = failureOf(error);
      return null;
    } finally {
      if (asked === this.#asked) this.waiting = null;
    }
  }

  /** Goes on without the answer. The system's own question stays until somebody answers or closes it. */
  stopWaiting(): void {
    this.#asked += 1;
    this.waiting = null;
  }

  clear(): void {
    this.failure = null;
    this.done = '';
  }
}
