// What the networks of a profile mean, asked from the engine whenever they change.

import type { Backend } from './backend';
import type { Expansion, Profile } from './bindings';

export class Meaning {
  expansions = $state.raw<Expansion[]>([]);
  readonly #backend: () => Backend;
  #asked = 0;

  constructor(backend: () => Backend) {
    this.#backend = backend;
  }

  /** Shows nothing rather than something old while it is not known. */
  async ask(profile: Profile): Promise<void> {
    const asked = ++this.#asked;
    this.expansions = [];
    const reply = await this.#backend()
      .command({ type: 'check', profile })
      .catch(() => null);
    if (asked === this.#asked && reply?.type === 'checked') this.expansions = reply.checked.expansions;
  }
}
