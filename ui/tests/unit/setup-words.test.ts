import { expect, test } from 'vitest';

import type { HelperSetup } from '../../src/lib/bindings';
import { conflictWords } from '../../src/lib/conflicts';
import { leftoverWords, restoredWords, setupWords, sheetFacts, sheetWords } from '../../src/lib/setup-words';

const SETUPS: HelperSetup[] = ['missing', 'installed', 'packaged', 'old', 'own'];

test('every way of being set up is told apart, and none speaks of errors or passwords of the system', () => {
  const said = SETUPS.map((setup) => setupWords({ setup, version: '1.2.3' }));
  expect(new Set(said.map(({ title, text }) => title + text)).size).toBe(SETUPS.length);
  for (const { title, text } of said) {
    expect(`${title} ${text}`).not.toMatch(/\b(root|sudo|error|failed|invalid|must)\b/i);
    expect(text).toMatch(/\.$/);
  }
});

test('only what was installed says that it is installed, and everything says how it goes', () => {
  const names = (setup: HelperSetup): string[] => sheetFacts(setup).map(({ name }) => name);
  expect(names('missing')).toEqual(['Installed', 'Where', 'Asked', 'Removed']);
  expect(names('old')).toEqual(['Replaced', 'Where', 'Asked', 'Removed']);
  expect(names('packaged')).toEqual(['Installed', 'Asked', 'Removed']);
  expect(sheetFacts('packaged')[0]?.text).toContain('Nothing');
});

test('the sheet is called by what it does', () => {
  expect(sheetWords('missing', null).title).toBe('One-time set-up');
  expect(sheetWords('old', 'own').title).toBe('Update the set-up');
  expect(sheetWords('packaged', null).title).toBe('One-time permission');
  expect(sheetWords('packaged', 'own').title).toBe('Allow the whole computer');
});

test('what is held is counted, one’s own first', () => {
  expect(leftoverWords({ mine: 0, others: 0 })).toBeNull();
  expect(leftoverWords({ mine: 1, others: 2 })).toBe(
    'Traffic to networks of 1 profile is still held since a crash.',
  );
  expect(leftoverWords({ mine: 0, others: 2 })).toBe(
    'Traffic to networks of 2 profiles of other users is still held since a crash.',
  );
  expect([0, 1, 2].map(restoredWords)).toEqual([
    'Nothing was held any more.',
    '1 profile’s networks are reached again.',
    '2 profiles’ networks are reached again.',
  ]);
});

test('a network that goes elsewhere says where, a profile by its name', () => {
  const names = new Set(['Work']);
  expect(conflictWords({ subnet: '10.0.0.0/8', holder: 'Work' }, names)).toBe(
    '10.0.0.0/8 goes through Work already.',
  );
  expect(conflictWords({ subnet: '10.0.0.0/8', holder: 'another user of this computer' }, names)).toBe(
    '10.0.0.0/8 is used by another user of this computer already.',
  );
});
