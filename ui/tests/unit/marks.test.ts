import { expect, test } from 'vitest';

import type { Note, NoteKind } from '../../src/lib/bindings';
import { marked } from '../../src/lib/marks';
import { parted } from '../../src/lib/parted';

function note(kind: NoteKind, about: string): Note {
  return { kind, about, text: '' };
}

function shown(text: string, ...notes: Note[]): string {
  return marked(text, notes)
    .map((piece) => (piece.kind ? `[${piece.kind} ${piece.text}]` : piece.text))
    .join('');
}

test('every part is marked where it stands and nothing is lost', () => {
  expect(
    shown(
      'sudo sshuttle -r h 10/8 -D',
      note('repaired', '10/8'),
      note('dropped', 'sudo'),
      note('dropped', '-D'),
    ),
  ).toBe('[dropped sudo] sshuttle -r h [repaired 10/8] [dropped -D]');
});

test('a part is sought as a word first: -v is not the -v of --verify', () => {
  expect(shown('x --verify -v', note('dropped', '-v'))).toBe('x --verify [dropped -v]');
});

test('the same part named twice marks two places, and a place is marked once', () => {
  expect(shown('-v -v', note('dropped', '-v'), note('dropped', '-v'))).toBe('[dropped -v] [dropped -v]');
  expect(shown('-v', note('dropped', '-v'), note('danger', '-v'))).toBe('[dropped -v]');
});

test('what does not stand in the text marks nothing', () => {
  expect(shown('sshuttle', note('danger', 'user:…@host'), note('kept', ''))).toBe('sshuttle');
});

test('a span is counted in characters, not in code units', () => {
  expect(parted('🚡.300.1', [2, 5])).toEqual([
    { text: '🚡.', wrong: false },
    { text: '300', wrong: true },
    { text: '.1', wrong: false },
  ]);
  expect(parted('10/8', null)).toEqual([{ text: '10/8', wrong: false }]);
});
