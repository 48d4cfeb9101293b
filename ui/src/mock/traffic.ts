// Connections that look like a working day, always the same ones.

import type { ConnectionRow, ConnectionState, ConnectionsDelta, ProfileId, Totals } from '../lib/bindings';

const APPS = [
  'Firefox',
  'git',
  'psql',
  'rsync',
  'Code',
  'Thunderbird',
  'kubectl',
  'python3',
  'curl',
  'node',
  'ssh',
];
const HOSTS = [
  'wiki',
  'git',
  'db-main',
  'backup',
  'dev-04',
  'mail',
  'k8s-api',
  'metrics',
  'images',
  'chat',
  'build-07',
];
const PORTS = [443, 22, 5432, 873, 993, 6443, 9090, 8080];
const RULES = ['10/8', '172.20.0.0/16', 'fd00:20::/32'];
const BAD: ConnectionState[] = ['refused', 'unreachable', 'timed-out', 'reset', 'closed'];

// Rows that move in one delta, of however many there are: what a busy tunnel really sends.
const MOVING = 40;

export class Traffic {
  readonly #count: number;
  readonly #random = seeded(7);
  #rows = new Map<number, ConnectionRow>();
  #changed: ConnectionRow[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  snapshot(profiles: readonly ProfileId[]): ConnectionsDelta {
    for (const profile of profiles) this.#fill(profile);
    this.#changed = [];
    return { snapshot: true, changed: [...this.#rows.values()], gone: [], totals: this.#totals(profiles) };
  }

  step(profiles: readonly ProfileId[]): ConnectionsDelta {
    for (const profile of profiles) this.#fill(profile);
    const rows = [...this.#rows.values()].filter((row) => row.closed === null);
    for (let n = 0; n < Math.min(MOVING, rows.length); n += 1) this.#move(rows[this.#pick(rows.length)]);
    const changed = this.#changed;
    this.#changed = [];
    return { snapshot: false, changed, gone: [], totals: this.#totals(profiles) };
  }

  close(id: number): void {
    const row = this.#rows.get(id);
    if (row) this.#put({ ...row, state: 'reset', closed: Date.now(), upRate: 0, downRate: 0 });
  }

  #fill(profile: ProfileId): void {
    if ([...this.#rows.values()].some((row) => row.profile === profile)) return;
    for (let n = 0; n < this.#count; n += 1) this.#put(this.#invent(profile));
  }

  #invent(profile: ProfileId): ConnectionRow {
    const rule = RULES[this.#pick(RULES.length * 4)] ?? '10/8';
    const ended = this.#pick(6) === 0;
    const opened = Date.now() - this.#pick(9_000_000);
    const quiet = ended || this.#pick(3) === 0;
    return {
      id: this.#rows.size + 1,
      profile,
      app: this.#pick(20) === 0 ? null : this.#one(APPS),
      pid: 1000 + this.#pick(30_000),
      user: 'dev',
      address: rule.includes(':') ? `fd00:20::${this.#pick(9999)}` : this.#address(rule),
      port: this.#one(PORTS),
      host:
        this.#pick(12) === 0 ? null : `${this.#one(HOSTS)}.${this.#pick(4) === 0 ? 'lab' : 'corp'}.example`,
      rule,
      up: this.#pick(9_000_000),
      down: this.#pick(600_000_000),
      upRate: quiet ? 0 : this.#pick(90_000),
      downRate: quiet ? 0 : this.#pick(500_000),
      opened,
      closed: ended ? opened + this.#pick(60_000) : null,
      state: ended
        ? (BAD[this.#rows.size % BAD.length] ?? 'closed')
        : this.#pick(14) === 0
          ? 'opening'
          : this.#pick(14) === 0
            ? 'closing'
            : 'open',
    };
  }

  #address(rule: string): string {
    const head = rule.startsWith('172') ? '172.20' : `10.${20 + this.#pick(40)}`;
    return `${head}.${this.#pick(255)}.${this.#pick(254) + 1}`;
  }

  #move(row: ConnectionRow | undefined): void {
    if (!row) return;
    const downRate = this.#pick(500_000);
    const upRate = this.#pick(90_000);
    this.#put({ ...row, downRate, upRate, down: row.down + downRate / 5, up: row.up + upRate / 5 });
  }

  #put(row: ConnectionRow): void {
    const whole = { ...row, up: Math.round(row.up), down: Math.round(row.down) };
    this.#rows.set(row.id, whole);
    this.#changed.push(whole);
  }

  #totals(profiles: readonly ProfileId[]): Totals[] {
    return profiles.map((profile) => {
      const rows = [...this.#rows.values()].filter((row) => row.profile === profile);
      const sum = (part: (row: ConnectionRow) => number): number =>
        rows.reduce((all, row) => all + part(row), 0);
      const active = rows.filter((row) => row.closed === null).length;
      return {
        profile,
        up: sum((row) => row.up),
        down: sum((row) => row.down),
        upRate: sum((row) => row.upRate),
        downRate: sum((row) => row.downRate),
        active,
        closed: rows.length - active,
      };
    });
  }

  #pick(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #one<T>(from: readonly T[]): T {
    return from[this.#pick(from.length)] as T;
  }
}

/** A small generator of numbers (mulberry32), so that every run shows the same. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
