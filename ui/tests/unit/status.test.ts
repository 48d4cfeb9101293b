import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { Announcements } from '../../src/lib/announcements';
import type { Profile } from '../../src/lib/bindings';
import { sceneOf } from '../../src/lib/scene';
import { emptyProfile } from '../../src/lib/profile';
import { isOn, shapeOf, toneOf, wordsOf } from '../../src/lib/status';
import { statusOf, type MockState } from '../../src/mock/states';

const WORK: Profile = {
  ...emptyProfile(),
  id: 'work',
  name: 'Work',
  server: 'dev@bastion.example.org',
  subnets: ['10/8'],
};

const STATES: MockState[] = [
  'off',
  'connecting',
  'connected',
  'unverified',
  'degraded',
  'blocking',
  'waiting',
  'needs-you',
  'paused',
  'error',
  'set-up',
];

test('every state has a shape of its own, and the drawing of it exists', () => {
  const shapes = STATES.map((state) => shapeOf(statusOf(WORK, state)));
  expect(new Set(shapes).size).toBe(STATES.length);
  const sprite = readFileSync('src/components/controls/Sprite.svelte', 'utf8');
  const drawings = shapes.map(
    (shape) => new RegExp(`<symbol id="s-${shape}"[^>]*>(.*?)</symbol>`, 's').exec(sprite)?.[1],
  );
  expect(drawings).not.toContain(undefined);
  expect(new Set(drawings).size).toBe(STATES.length);
});

test('the switch is on for everything that the engine still works for', () => {
  const off = STATES.filter((state) => !isOn(statusOf(WORK, state)));
  expect(off).toEqual(['off', 'error', 'set-up']);
  // It gave up, and still keeps its networks closed: there is something to switch off.
  expect(isOn(statusOf(WORK, 'given-up'))).toBe(true);
});

test('red is for what will not go on by itself, amber for what waits or is held', () => {
  const tones = Object.fromEntries(STATES.map((state) => [state, toneOf(statusOf(WORK, state))]));
  expect(tones).toMatchObject({
    error: 'danger',
    blocking: 'warn',
    waiting: 'warn',
    connected: 'accent',
    off: 'quiet',
  });
});

test('the picture says where it fails', () => {
  expect(sceneOf(statusOf(WORK, 'connected'))).toMatchObject({ cabin: 'far', hollow: false });
  expect(sceneOf(statusOf(WORK, 'blocking'))).toMatchObject({ cabin: 'near', rope: 'dotted', gate: true });
  expect(sceneOf(statusOf(WORK, 'error'))).toMatchObject({ cabin: 'near', cut: true });
  expect(sceneOf(statusOf(WORK, 'off'))).toMatchObject({ cabin: 'none', rope: 'slack' });
});

test('a change of state is announced, the first state and a countdown are not', () => {
  const announcements = new Announcements();
  const say = (state: MockState, words?: string): string | null => {
    const status = statusOf(WORK, state);
    return announcements.next([{ profile: WORK, status: { ...status, words: words ?? status.words } }]);
  };
  expect(say('off')).toBeNull();
  expect(say('connecting')).toBe('Work: Connecting — signing in');
  expect(say('connected')).toBe('Work: Connected');
  expect(say('reconnecting')).toBe('Work: Reconnecting (2nd try, in 8 s)');
  expect(say('reconnecting', 'Reconnecting (2nd try, in 7 s)')).toBeNull();
  expect(say('error')).toBe('Work: bastion.example.org refused your key');
});

test('what set-up mends is no error, however the engine tells it', () => {
  const told: MockState[] = ['set-up', 'not-granted', 'helper-missing', 'helper-old'];
  for (const status of told.map((state) => statusOf(WORK, state))) {
    expect([shapeOf(status), toneOf(status), isOn(status)]).toEqual(['setup', 'warn', false]);
    expect(wordsOf(status)).toBe('Set-up not finished');
    expect(sceneOf(status).cut).toBe(false);
  }
  expect(wordsOf(statusOf(WORK, 'error'))).toBe('bastion.example.org refused your key');
});

test('rules that were put back change nothing about being connected', () => {
  const status = statusOf(WORK, 'rules-put-back');
  expect([shapeOf(status), wordsOf(status)]).toEqual(['connected', 'Connected']);
});
