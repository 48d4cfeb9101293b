// The colours are right when they can be read: computed from the tokens as WCAG 2 says, in both themes. And the tokens are
// complete: each is used, and everything used is one.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

const TOKENS = readFileSync('src/styles/tokens.css', 'utf8');

// What a text may stand on where it is used.
const PANES = ['window', 'side', 'surface', 'raised', 'well', 'selected'];
const TEXT: [string, string[]][] = [
  ['text', [...PANES, 'accent-soft', 'warn-soft', 'danger-soft']],
  ['text-2', [...PANES, 'accent-soft', 'warn-soft', 'danger-soft']],
  ['accent-text', [...PANES, 'accent-soft']],
  ['warn', [...PANES, 'warn-soft']],
  ['danger', [...PANES, 'danger-soft']],
  ['on-accent', ['accent', 'accent-hover']],
  ['on-danger', ['danger']],
];
// Outlines of controls, the focus ring, and shapes that mean something.
const SHAPES: [string, string[]][] = [
  ['edge', ['window', 'surface', 'raised']],
  ['focus', PANES],
  ['accent', ['surface', 'window', 'line']],
];

describe.each(['light', 'dark'] as const)('%s', (theme) => {
  const colours = coloursOf(theme);

  test.each(pairs(TEXT))('text %s on %s', (front, back) => {
    expect(contrast(colours, front, back)).toBeGreaterThanOrEqual(4.5);
  });

  test.each(pairs(TEXT.slice(0, 2)))('text %s on %s under the pointer', (front, back) => {
    expect(contrast(colours, front, back, 'hover')).toBeGreaterThanOrEqual(4.5);
  });

  test.each(pairs(SHAPES))('shape %s on %s', (front, back) => {
    expect(contrast(colours, front, back)).toBeGreaterThanOrEqual(3);
  });
});

test('dark by the system and dark by choice are the same colours', () => {
  expect(block(/prefers-color-scheme: dark\) \{\s*:root:not\([^)]*\) \{([^}]*)\}/)).toEqual(
    coloursOf('dark'),
  );
});

test('every token is used, and everything used is a token', () => {
  const source = [...files('src')].map((file) => readFileSync(file, 'utf8')).join('\n');
  const used = new Set([...source.matchAll(/var\(--([\w-]+)/g)].map((match) => match[1]));
  const defined = new Set([...source.matchAll(/(?<![\w-])--([\w-]+):/g)].map((match) => match[1]));
  expect([...used].filter((name) => !defined.has(name))).toEqual([]);
  expect([...defined].filter((name) => !used.has(name))).toEqual([]);
});

type Colour = [number, number, number, number];

function coloursOf(theme: 'light' | 'dark'): Map<string, Colour> {
  return block(new RegExp(`(?:^|\\n)[^\\n@]*\\[data-theme="${theme}"\\] \\{([^}]*)\\}`));
}

function block(pattern: RegExp): Map<string, Colour> {
  const body = pattern.exec(TOKENS)?.[1] ?? '';
  const found = [...body.matchAll(/--([\w-]+): (#[0-9a-f]{6,8});/g)];
  expect(found.length).toBeGreaterThan(20);
  return new Map(found.map(([, name = '', hex = '']) => [name, parse(hex)]));
}

function parse(hex: string): Colour {
  const part = (at: number): number => Number.parseInt(hex.slice(at, at + 2), 16);
  return [part(1), part(3), part(5), hex.length > 7 ? part(7) / 255 : 1];
}

function pairs(table: [string, string[]][]): [string, string][] {
  return table.flatMap(([front, backs]) => backs.map((back): [string, string] => [front, back]));
}

function contrast(colours: Map<string, Colour>, front: string, back: string, veil?: string): number {
  const ground = veil ? over(colour(colours, veil), colour(colours, back)) : colour(colours, back);
  const both = [luminance(over(colour(colours, front), ground)), luminance(ground)];
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
}

function colour(colours: Map<string, Colour>, name: string): Colour {
  const found = colours.get(name);
  if (!found) throw new Error(`no token --${name}`);
  return found;
}

function over(top: Colour, ground: Colour): Colour {
  const mix = (at: 0 | 1 | 2): number => top[at] * top[3] + ground[at] * (1 - top[3]);
  return [mix(0), mix(1), mix(2), 1];
}

/** Relative luminance, as WCAG 2 defines it. */
function luminance([red, green, blue]: Colour): number {
  const [r, g, b] = [red, green, blue].map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function* files(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (/\.(svelte|css)$/.test(entry.name)) yield path;
  }
}
