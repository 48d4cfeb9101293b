// The names that were found near servers, as they are now. Heard only while somebody looks at them.

import type { HostRow, HostsDelta, ProfileId } from './bindings';

export class LiveHosts {
  readonly #rows = new Map<number, HostRow>();
  #version = $state(0);
  filter = $state('');

  hear(delta: HostsDelta): void {
    if (delta.snapshot) this.#rows.clear();
    for (const row of delta.changed) this.#rows.set(row.id, row);
    for (const id of delta.gone) this.#rows.delete(id);
    this.#version += 1;
  }

  of(profile: ProfileId): HostRow[] {
    // Whoever asks is told when it changes.
    return this.#version < 0 ? [] : [...this.#rows.values()].filter((row) => row.profile === profile);
  }
}
