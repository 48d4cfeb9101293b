// A connection for tests; what a test does not say does not matter to it.

import type { ConnectionRow, ConnectionsDelta, Totals } from '../src/lib/bindings';

export function row(fields: Partial<ConnectionRow> = {}): ConnectionRow {
  return {
    id: 1,
    profile: 'work',
    app: 'curl',
    pid: 4242,
    user: 'dev',
    address: '10.0.0.1',
    port: 80,
    host: null,
    rule: '10/8',
    up: 0,
    down: 0,
    upRate: 0,
    downRate: 0,
    opened: 0,
    closed: null,
    state: 'open',
    ...fields,
  };
}

export function delta(fields: Partial<ConnectionsDelta> = {}): ConnectionsDelta {
  return { snapshot: false, changed: [], gone: [], totals: [], ...fields };
}

export function totals(fields: Partial<Totals> = {}): Totals {
  return { profile: 'work', up: 0, down: 0, upRate: 0, downRate: 0, active: 0, closed: 0, ...fields };
}
