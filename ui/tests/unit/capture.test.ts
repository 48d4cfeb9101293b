import { expect, test } from 'vitest';

import { captureOf, captureText, isNamed, neededGrant, WHOSE, type Whose } from '../../src/lib/capture';

const WRITTEN: [string, Whose, string][] = [
  ['', 'mine', ''],
  ['everyone', 'everyone', ''],
  ['user:ci', 'user', 'ci'],
  ['user:', 'user', ''],
  ['group:1000', 'group', '1000'],
  ['cgroup:/user.slice/a:b', 'cgroup', '/user.slice/a:b'],
  // Not ours to judge: the engine says what is wrong with it.
  ['everybody', 'other', 'everybody'],
  ['users:ci', 'other', 'users:ci'],
];

test.each(WRITTEN)('%j is a choice and a name, and the same text again', (text, whose, name) => {
  expect(captureOf(text)).toEqual({ whose, name });
  expect(captureText({ whose, name })).toBe(text);
});

test('a name is asked for exactly where the text has one', () => {
  const named = (Object.keys(WHOSE) as Whose[]).filter(isNamed);
  expect(named).toEqual(['user', 'group', 'cgroup', 'other']);
});

test('the wider permission is asked for only where it is needed', () => {
  const needed = (text: string): string => neededGrant(text, 'dev');
  expect(['', 'user:dev', 'cgroup:/x'].map(needed)).toEqual(['own', 'own', 'own']);
  expect(['everyone', 'user:ci', 'group:dev', 'nonsense'].map(needed)).toEqual(['all', 'all', 'all', 'all']);
  expect(neededGrant('user:dev', undefined)).toBe('all');
});
