import { expect, test } from 'vitest';

import type { ConnectionRow } from '../../src/lib/bindings';
import { firstOrder, isKind, matches, sorted, wordsOf, type Column } from '../../src/lib/rows';
import { row } from '../rows';

const NOW = 1_000_000;

function ids(rows: ConnectionRow[], column: Column, descending = false): number[] {
  return sorted(rows, { column, descending }, NOW).map(({ id }) => id);
}

test('addresses are ordered as numbers, not as text, and IPv4 before IPv6', () => {
  const rows = [
    row({ id: 1, address: '10.10.0.1' }),
    row({ id: 2, address: 'fd00::1' }),
    row({ id: 3, address: '10.9.0.1', port: 443 }),
    row({ id: 4, address: '10.9.0.1', port: 22 }),
  ];
  expect(ids(rows, 'address')).toEqual([4, 3, 1, 2]);
});

test('names ignore case, and unknown ones come last', () => {
  const rows = [row({ id: 1, app: null }), row({ id: 2, app: 'Firefox' }), row({ id: 3, app: 'curl' })];
  expect(ids(rows, 'app')).toEqual([3, 2, 1]);
});

test('equal rows stand newest first in both directions, so that idle ones do not dance', () => {
  const rows = [row({ id: 1 }), row({ id: 3 }), row({ id: 2 })];
  expect(ids(rows, 'down', true)).toEqual([3, 2, 1]);
  expect(ids(rows, 'down', false)).toEqual([3, 2, 1]);
});

test('total counts both directions', () => {
  const rows = [row({ id: 1, up: 5, down: 5 }), row({ id: 2, up: 0, down: 9 })];
  expect(ids(rows, 'total', true)).toEqual([1, 2]);
});

test('age of a closed one ended with it', () => {
  const rows = [row({ id: 1, opened: 0, closed: 10 }), row({ id: 2, opened: NOW - 100 })];
  expect(ids(rows, 'age')).toEqual([1, 2]);
});

test('sorting leaves the given list alone', () => {
  const rows = [row({ id: 1, port: 2 }), row({ id: 2, port: 1 })];
  ids(rows, 'address');
  expect(rows.map(({ id }) => id)).toEqual([1, 2]);
});

test('numbers are first wanted from the top, words from A', () => {
  expect(firstOrder('total').descending).toBe(true);
  expect(firstOrder('host').descending).toBe(false);
});

test.each([
  ['', true],
  ['FIRE', true],
  ['wiki 443', true],
  ['fire refused', false],
  ['10/8', true],
  ['open', true],
])('the filter "%s" on a Firefox row gives %s', (filter, expected) => {
  const firefox = row({ app: 'Firefox', host: 'wiki.corp.example', port: 443, rule: '10/8', state: 'open' });
  expect(matches(firefox, wordsOf(filter))).toBe(expected);
});

test('a row is active until it has a time of closing', () => {
  expect(isKind(row({ state: 'closing' }), 'active')).toBe(true);
  expect(isKind(row({ state: 'reset', closed: 5 }), 'closed')).toBe(true);
});
