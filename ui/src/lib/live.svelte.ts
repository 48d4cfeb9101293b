// The connections of all tunnels as they are now. Fed with deltas at up to 5 a second, so rows live in a plain map and
// one number says that it changed; whoever looks at the rows asks again then.

import type { ConnectionRow, ConnectionsDelta, ProfileId, Totals } from './bindings';

export interface Sample {
  at: number;
  up: number;
  down: number;
}

// What the throughput graph shows: five minutes, one sample a second.
export const HISTORY = 5 * 60_000;
const SAMPLE_EVERY = 1000;

export class LiveConnections {
  readonly #rows = new Map<number, ConnectionRow>();
  readonly #history = new Map<ProfileId, Sample[]>();
  #version = $state(0);
  totals = $state.raw<Totals[]>([]);

  hear(delta: ConnectionsDelta, now: number): void {
    if (delta.snapshot) this.#rows.clear();
    for (const row of delta.changed) this.#rows.set(row.id, row);
    for (const id of delta.gone) this.#rows.delete(id);
    this.totals = delta.totals;
    for (const totals of delta.totals) this.#remember(totals, now);
    this.#version += 1;
  }

  row(id: number): ConnectionRow | undefined {
    this.#watch();
    return this.#rows.get(id);
  }

  of(profile: ProfileId): ConnectionRow[] {
    this.#watch();
    return [...this.#rows.values()].filter((row) => row.profile === profile);
  }

  totalsOf(profile: ProfileId): Totals | undefined {
    return this.totals.find((totals) => totals.profile === profile);
  }

  /** Oldest first; a pause in it means that nobody watched. */
  history(profile: ProfileId): readonly Sample[] {
    this.#watch();
    return this.#history.get(profile) ?? [];
  }

  #remember({ profile, upRate, downRate }: Totals, now: number): void {
    const samples = this.#history.get(profile) ?? [];
    const newest = samples.at(-1);
    if (newest && now - newest.at < SAMPLE_EVERY) return;
    const fresh = samples.filter((sample) => now - sample.at < HISTORY);
    this.#history.set(profile, [...fresh, { at: now, up: upRate, down: downRate }]);
  }

  #watch(): number {
    return this.#version;
  }
}
