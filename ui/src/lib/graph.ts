// The curves of the throughput graph, as SVG paths over a box of WIDTH × HEIGHT.

import { HISTORY, type Sample } from './live.svelte';

export const WIDTH = 300;
export const HEIGHT = 64;

// Samples come once a second; further apart than this, nobody watched and the line has a hole.
const GAP = 3000;
// The line keeps this far from the edges, so that its full width is seen.
const MARGIN = 4;
// Below this peak an idle tunnel's few bytes would be drawn as mountains.
const LEAST_PEAK = 10_000;

export interface Curves {
  area: string;
  down: string;
  up: string;
  peak: number;
}

export function curves(samples: readonly Sample[], now: number): Curves {
  const peak = Math.max(0, ...samples.flatMap((sample) => [sample.up, sample.down]));
  const scale = (HEIGHT - 2 * MARGIN) / Math.max(peak, LEAST_PEAK);
  const x = (sample: Sample): string => (WIDTH - ((now - sample.at) / HISTORY) * WIDTH).toFixed(1);
  const y = (rate: number): string => (HEIGHT - MARGIN - rate * scale).toFixed(1);
  const line = (run: Sample[], rate: (sample: Sample) => number): string =>
    `M${run.map((sample) => `${x(sample)} ${y(rate(sample))}`).join('L')}`;

  const parts = runs(samples);
  const down = parts.map((run) => line(run, (sample) => sample.down));
  return {
    area: parts.map((run, at) => `${down[at]}V${HEIGHT}H${x(run[0] as Sample)}Z`).join(''),
    down: down.join(''),
    up: parts.map((run) => line(run, (sample) => sample.up)).join(''),
    peak,
  };
}

/** Samples that follow each other closely. */
function runs(samples: readonly Sample[]): Sample[][] {
  const all: Sample[][] = [];
  let before: Sample | undefined;
  for (const sample of samples) {
    if (before && sample.at - before.at <= GAP) all.at(-1)?.push(sample);
    else all.push([sample]);
    before = sample;
  }
  return all;
}
