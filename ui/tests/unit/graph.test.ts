import { expect, test } from 'vitest';

import { curves, HEIGHT, WIDTH } from '../../src/lib/graph';

const NOW = 300_000;

test('the newest sample is at the right edge, one of five minutes ago at the left', () => {
  const { down } = curves(
    [
      { at: 0, up: 0, down: 50_000 },
      { at: NOW, up: 0, down: 50_000 },
    ],
    NOW,
  );
  expect(down).toContain('M0.0 ');
  expect(down).toContain(`M${WIDTH.toFixed(1)} `);
});

test('a pause of watching is a hole in the line', () => {
  const at = (second: number): { at: number; up: number; down: number } => ({
    at: second * 1000,
    up: 1,
    down: 1,
  });
  const { down } = curves([at(1), at(2), at(60), at(61)], NOW);
  expect(down.match(/M/g)).toHaveLength(2);
});

test('the highest rate is the peak, and an idle tunnel is a flat line', () => {
  expect(curves([{ at: NOW, up: 70_000, down: 20_000 }], NOW).peak).toBe(70_000);
  const idle = curves([{ at: NOW, up: 0, down: 30 }], NOW).down;
  expect(Number(idle.split(' ')[1])).toBeGreaterThan(HEIGHT - 6);
});
