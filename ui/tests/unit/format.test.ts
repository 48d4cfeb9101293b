import { expect, test } from 'vitest';

import {
  age,
  amount,
  bytes,
  endpoint,
  hostOf,
  hostParts,
  perSecond,
  roundTrip,
  span,
} from '../../src/lib/format';

test.each([
  [0, '0 B'],
  [563, '563 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [4242, '4.2 kB'],
  [57_040, '57.0 kB'],
  [99_940, '99.9 kB'],
  [99_960, '100 kB'],
  [478_200, '478 kB'],
  [999_499, '999 kB'],
  // Rounded up it would be 1000 kB, which is the next unit.
  [999_500, '1.0 MB'],
  [209_715_200, '210 MB'],
  [1_210_000_000, '1.2 GB'],
])('%i bytes are shown as %s', (n, shown) => {
  expect(bytes(n)).toBe(shown);
});

test('an amount keeps its unit apart, so that it can be dimmed', () => {
  expect(amount(2_400_000)).toEqual({ value: '2.4', unit: 'MB' });
  expect(perSecond(14_000)).toBe('14.0 kB/s');
});

test.each([
  [-5, '0 s', '0 s'],
  [4_900, '4 s', '4 s'],
  [61_000, '1 m', '1 m'],
  [3_600_000, '1 h', '1 h 0 m'],
  [8_040_000, '2 h', '2 h 14 m'],
  [273_600_000, '3 d', '3 d 4 h'],
])('%i ms are %s in a table and %s in a sentence', (ms, short, long) => {
  expect(age(ms)).toBe(short);
  expect(span(ms)).toBe(long);
});

test('a round trip has a tenth only where it tells something', () => {
  expect(roundTrip(420)).toBe('0.4 ms');
  expect(roundTrip(38_200)).toBe('38 ms');
});

test.each([
  ['wiki.corp.example', 'wiki', '.corp.example'],
  ['localhost', 'localhost', ''],
  ['10.0.0.1', '10.0.0.1', ''],
])('%s is parted after its first label', (host, name, domain) => {
  expect(hostParts(host)).toEqual({ name, domain });
});

test.each([
  ['dev@bastion.example.org', 'bastion.example.org'],
  ['me@home.example.com:2222', 'home.example.com'],
  ['a@b@host', 'host'],
  ['[2001:db8::1]:22', '2001:db8::1'],
  ['me@2001:db8::1', '2001:db8::1'],
  ['bastion', 'bastion'],
])('the host of %s is %s', (server, host) => {
  expect(hostOf(server)).toBe(host);
});

test('an IPv6 address with a port has brackets', () => {
  expect(endpoint('2001:db8::1', 443)).toBe('[2001:db8::1]:443');
  expect(endpoint('10.0.0.1', 22)).toBe('10.0.0.1:22');
});
