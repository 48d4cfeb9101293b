import { expect, test } from 'vitest';

import { scrolledTo, sliceOf } from '../../src/lib/virtual';

const ROW = 28;

test('ten thousand rows need no more than the window holds and a few to spare', () => {
  const slice = sliceOf(10_000, ROW, 140_000, 560);
  expect(slice.end - slice.first).toBeLessThan(40);
  expect(slice.first * ROW).toBeLessThanOrEqual(140_000);
  expect(slice.end * ROW).toBeGreaterThanOrEqual(140_000 + 560);
});

test('what is there and what is left out are together as high as all rows', () => {
  for (const top of [0, 13, 5000, 279_440, 400_000]) {
    const { first, end, before, after } = sliceOf(10_000, ROW, top, 560);
    expect(before + (end - first) * ROW + after).toBe(10_000 * ROW);
  }
});

test('after most rows went away, a list that was scrolled far down still shows its last ones', () => {
  const slice = sliceOf(5, ROW, 200_000, 560);
  expect(slice).toEqual({ first: 0, end: 5, before: 0, after: 0 });
});

test('a short list is whole', () => {
  expect(sliceOf(3, ROW, 0, 560)).toEqual({ first: 0, end: 3, before: 0, after: 0 });
});

test('scrolling to a row moves only as far as needed', () => {
  expect(scrolledTo(5, 10, 0, 100)).toBe(0);
  expect(scrolledTo(12, 10, 0, 100)).toBe(30);
  expect(scrolledTo(1, 10, 50, 100)).toBe(10);
});
