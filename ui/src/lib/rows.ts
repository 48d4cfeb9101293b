// Which connections are shown, and in what order. Pure, so that ten thousand rows can be tested in a blink.

import type { ConnectionRow, ConnectionState } from './bindings';

export type Column = 'app' | 'host' | 'address' | 'rule' | 'down' | 'up' | 'total' | 'age' | 'result';
export type Which = 'active' | 'closed';

export interface Order {
  column: Column;
  descending: boolean;
}

export const RESULTS: Record<ConnectionState, string> = {
  opening: 'Opening',
  open: 'Open',
  closing: 'Closing',
  closed: 'Closed',
  refused: 'Refused',
  unreachable: 'Unreachable',
  'timed-out': 'Timed out',
  prohibited: 'Forbidden',
  reset: 'Reset',
  lost: 'Lost',
  direct: 'Direct',
  failed: 'Failed',
};

/** The closed ones among the states end in a row of `closed`; direct ones live as long as the others. */
export function isActive(row: ConnectionRow): boolean {
  return row.closed === null;
}

export function isKind(row: ConnectionRow, which: Which): boolean {
  return isActive(row) === (which === 'active');
}

/** Ended otherwise than both sides wanted. */
export function isBad(state: ConnectionState): boolean {
  return ['refused', 'unreachable', 'timed-out', 'prohibited', 'reset', 'lost', 'failed'].includes(state);
}

/** The words of a filter; a row has to have them all. */
export function wordsOf(filter: string): string[] {
  return filter.toLowerCase().split(/\s+/).filter(Boolean);
}

export function matches(row: ConnectionRow, words: string[]): boolean {
  if (words.length === 0) return true;
  const text = `${row.app ?? ''} ${row.host ?? ''} ${row.address}:${row.port} ${row.rule} ${RESULTS[row.state]}`;
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}

/** Numbers are first wanted from the top, words from A. */
export function firstOrder(column: Column): Order {
  return { column, descending: column === 'down' || column === 'up' || column === 'total' };
}

/** A new list in the wanted order; equal ones newest first, so that an idle table does not dance. */
export function sorted(rows: ConnectionRow[], order: Order, now: number): ConnectionRow[] {
  const sign = order.descending ? -1 : 1;
  const keyed = rows.map((row) => ({ row, key: keyOf(row, order.column, now) }));
  keyed.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : b.row.id - a.row.id));
  return keyed.map(({ row }) => row);
}

function keyOf(row: ConnectionRow, column: Column, now: number): string | number {
  switch (column) {
    case 'app':
      return last(row.app);
    case 'host':
      return last(row.host);
    case 'address':
      return addressKey(row.address, row.port);
    case 'rule':
      return row.rule;
    case 'down':
      return row.downRate;
    case 'up':
      return row.upRate;
    case 'total':
      return row.up + row.down;
    case 'age':
      return ageOf(row, now);
    case 'result':
      return RESULTS[row.state];
  }
}

/** How long it has lived, or did. */
export function ageOf(row: ConnectionRow, now: number): number {
  return (row.closed ?? now) - row.opened;
}

/** Unknown names come after all known ones. */
function last(text: string | null): string {
  return text === null ? '\uffff' : text.toLowerCase();
}

/** Makes 10.9.0.1 come before 10.10.0.1, and IPv4 before IPv6. */
function addressKey(address: string, port: number): string {
  const port5 = String(port).padStart(5, '0');
  if (address.includes(':')) return `6${address} ${port5}`;
  const parts = address.split('.').map((part) => part.padStart(3, '0'));
  return `4${parts.join('.')} ${port5}`;
}
