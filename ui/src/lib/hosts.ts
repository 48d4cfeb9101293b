// Which names are shown, in what order, and the words for what became of each. Pure.

import type { HostRow, HostSource, HostState } from './bindings';

export const SOURCES: Record<HostSource, string> = {
  'hosts-file': 'Its hosts file',
  seed: 'Asked for',
  'reverse-dns': 'Name servers',
  netbios: 'The computer itself',
  cache: 'Last time',
};

export const STATES: Record<HostState, { text: string; why: string }> = {
  waiting: { text: 'In a moment', why: 'It is being put into this computer’s hosts file.' },
  'in-force': { text: 'In force', why: 'Programs on this computer can use it.' },
  'other-address': { text: 'Other address', why: 'The name leads to another of its addresses.' },
  syntax: { text: 'No host name', why: 'Programs could not use a name that is written like this.' },
  reserved: { text: 'Reserved', why: 'It means this computer, or programs trust it without being asked.' },
  suffix: { text: 'Not its suffix', why: 'A name with a dot has to end in the profile’s suffix.' },
  outside: { text: 'Not reached', why: 'The address is in none of the profile’s networks.' },
  taken: { text: 'In use here', why: 'This computer’s hosts file has that name already.' },
  'other-profile': { text: 'In use', why: 'Another tunnel has that name, for another address.' },
  'not-allowed': { text: 'Not allowed', why: 'You may send your own traffic, and change no names.' },
  failed: { text: 'Failed', why: 'The hosts file of this computer could not be changed.' },
};

/** Those in force first, then by name; one name’s addresses stay together. */
export function hostsInOrder(rows: HostRow[], words: string[]): HostRow[] {
  const rank = (row: HostRow): number => (row.state === 'in-force' ? 0 : 1);
  const wanted = rows.filter((row) => has(row, words));
  return wanted.sort((a, b) => rank(a) - rank(b) || compare(a.name, b.name) || a.id - b.id);
}

/** The words of a filter; a row has to have them all. */
function has(row: HostRow, words: string[]): boolean {
  const text = `${row.name} ${row.found} ${row.address} ${SOURCES[row.source]} ${STATES[row.state].text}`;
  const lower = text.toLowerCase();
  return words.every((word) => lower.includes(word));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
