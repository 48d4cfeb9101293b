import { expect, test } from 'vitest';

import { Entries } from '../../src/lib/entries.svelte';

test('a space ends an entry, the rest is still being typed', () => {
  const entries = new Entries([]);
  entries.type('10/8 172.20');
  expect([entries.done, entries.typing]).toEqual([['10/8'], '172.20']);
});

test('lines of a pasted list become entries each', () => {
  const entries = new Entries(['10/8']);
  entries.type('192.0.2.0/24\n  198.51.100.0/24,\n\nfd00::/8\n');
  expect(entries.done).toEqual(['10/8', '192.0.2.0/24', '198.51.100.0/24', 'fd00::/8']);
});

test('a comma between ports parts nothing', () => {
  const entries = new Entries([]);
  entries.type('198.51.100.0/24:80,443 ');
  expect(entries.done).toEqual(['198.51.100.0/24:80,443']);
});

test('what is still being typed counts as an entry', () => {
  const entries = new Entries(['10/8']);
  entries.type('fd00::/8');
  expect(entries.all).toEqual(['10/8', 'fd00::/8']);
});

test('nothing typed makes no entry', () => {
  const entries = new Entries([]);
  entries.type('  ');
  entries.finish();
  expect([entries.done, entries.all]).toEqual([[], []]);
});

test('a suggestion takes the place of what it is for, also of what is being typed', () => {
  const entries = new Entries(['010/8', '10.1.0.0/16']);
  entries.type('10.300/16');
  entries.replace(0, '10/8');
  entries.replace(2, '10.30/16');
  expect([entries.done, entries.typing]).toEqual([['10/8', '10.1.0.0/16', '10.30/16'], '']);
});

test('the last chip can be taken back to be changed', () => {
  const entries = new Entries(['10/8', 'fd00::/8']);
  entries.reopen();
  expect([entries.done, entries.typing]).toEqual([['10/8'], 'fd00::/8']);
});
