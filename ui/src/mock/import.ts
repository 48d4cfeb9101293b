// Reads the simplest sshuttle command lines, so that the import sheet has something to show.

import { EngineError } from '../lib/backend';
import type { ImportPreview, ImportedProfile, Note, NoteKind, Profile } from '../lib/bindings';
import { hostOf } from '../lib/format';
import { emptyProfile } from '../lib/profile';
import { check } from './check';
import { failure } from './failures';

const DROPPED = /^(sudo|-E|-v|-D|--pidfile=\S+|&)$/;

export function previewOf(text: string): ImportPreview {
  if (!/\bsshuttle\b/.test(text)) throw new EngineError(failure('E-IMPORT', text.slice(0, 20)));
  return { source: 'sshuttle command line', profiles: [parse(text)] };
}

function parse(text: string): ImportedProfile {
  const words = (text.replaceAll('\\\n', ' ').match(/'[^']*'|\S+/g) ?? []).map((word) =>
    word.replaceAll("'", ''),
  );
  const profile: Profile = emptyProfile();
  const notes: Note[] = [];
  const note = (kind: NoteKind, about: string, says: string): number =>
    notes.push({ kind, about, text: says });
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    if (word === 'sshuttle') continue;
    if (word === '-r') profile.server = words.shift() ?? '';
    else if (word === '-x') profile.excludes.push(words.shift() ?? '');
    else if (word === '-e') {
      profile.sshCommand = words.shift() ?? '';
      note('danger', `-e '${profile.sshCommand}'`, 'runs a program on this computer.');
    } else if (word === '--no-latency-control') {
      profile.latency = 'unlimited';
      note('kept', word, 'Nothing keeps the line quick under load.');
    } else if (DROPPED.test(word)) note('dropped', word, 'Ropeway does without.');
    else if (/^\d+\/\d+$/.test(word)) {
      profile.subnets.push(word);
      note('repaired', word, 'sshuttle 2.0 would capture another network.');
    } else if (!word.startsWith('-')) profile.subnets.push(word);
  }
  profile.name = hostOf(profile.server).split('.')[0] ?? '';
  return { profile, checked: check(profile), notes };
}
