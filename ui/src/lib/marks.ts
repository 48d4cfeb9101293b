// Marks in the text of an import what became of each part, so that nothing has to be compared by eye.

import type { Note, NoteKind } from './bindings';

export interface Piece {
  text: string;
  kind: NoteKind | null;
}

interface Mark {
  from: number;
  to: number;
  kind: NoteKind;
}

/** The text cut into marked and unmarked pieces. Notes whose part does not occur literally mark nothing. */
export function marked(text: string, notes: readonly Note[]): Piece[] {
  const marks: Mark[] = [];
  for (const { about, kind } of notes) {
    const from = about ? freePlace(text, about, marks) : -1;
    if (from >= 0) marks.push({ from, to: from + about.length, kind });
  }
  marks.sort((a, b) => a.from - b.from);
  return cut(text, marks);
}

/** The first place that no mark has taken, as a word of its own if there is such a place. */
function freePlace(text: string, about: string, marks: readonly Mark[]): number {
  const places: number[] = [];
  for (let at = text.indexOf(about); at >= 0; at = text.indexOf(about, at + 1)) {
    const end = at + about.length;
    if (marks.every((mark) => end <= mark.from || at >= mark.to)) places.push(at);
  }
  return places.find((at) => isWord(text, at, at + about.length)) ?? places[0] ?? -1;
}

function isWord(text: string, from: number, to: number): boolean {
  const edge = (character: string | undefined): boolean => character === undefined || /\s/.test(character);
  return edge(text[from - 1]) && edge(text[to]);
}

function cut(text: string, marks: readonly Mark[]): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const { from, to, kind } of marks) {
    if (from > at) pieces.push({ text: text.slice(at, from), kind: null });
    pieces.push({ text: text.slice(from, to), kind });
    at = to;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), kind: null });
  return pieces;
}
