import { expect, test } from 'vitest';

import { latencyOf, latencyText, type Way } from '../../src/lib/latency';

const WRITTEN: [string, Way, string][] = [
  ['', 'adaptive', ''],
  ['unlimited', 'unlimited', ''],
  ['65536', 'fixed', '65536'],
  ['fixed', 'fixed', ''],
  // Not ours to judge: the engine says what is wrong with it.
  ['32k', 'fixed', '32k'],
];

test.each(WRITTEN)('%j is a choice and a number, and the same text again', (text, way, bytes) => {
  expect(latencyOf(text)).toEqual({ way, bytes });
  expect(latencyText({ way, bytes })).toBe(text);
});

test('the long word for nothing in particular is understood, too', () => {
  expect(latencyOf('adaptive')).toEqual({ way: 'adaptive', bytes: '' });
});
