// Whose traffic a profile takes: the text of `Profile.capture` as a choice and a name, and back.

import type { GrantScope } from './bindings';

export type Whose = 'mine' | 'everyone' | 'user' | 'group' | 'cgroup' | 'other';

export interface Capture {
  whose: Whose;
  /** Of the user, group or cgroup; of `other` the whole text. */
  name: string;
}

export interface WhoseWords {
  text: string;
  /** What it takes, and what permission that needs. */
  hint: string;
  /** Of the name's field; empty where there is no name to give. */
  label: string;
  placeholder: string;
}

const none = { label: '', placeholder: '' };

export const WHOSE: Record<Whose, WhoseWords> = {
  mine: { text: 'Just mine', hint: 'What your own programs send, and nobody else’s.', ...none },
  everyone: {
    text: 'Everyone on this computer',
    hint: 'All users’ programs and the system’s own. This needs the permission for the whole computer.',
    ...none,
  },
  user: {
    text: 'One user…',
    hint: 'All programs of this user. For another user than you this needs the permission for the whole computer.',
    label: 'User',
    placeholder: 'Name or number of the user',
  },
  group: {
    text: 'One group…',
    hint: 'Programs that run with this group. This needs the permission for the whole computer.',
    label: 'Group',
    placeholder: 'Name or number of the group',
  },
  cgroup: {
    text: 'A cgroup…',
    hint: 'Programs that were started inside this cgroup, a systemd slice of yours for example.',
    label: 'Cgroup',
    placeholder: '/user.slice/work.slice',
  },
  other: { text: 'As written…', hint: '', label: 'As written', placeholder: '' },
};

const NAMED = ['user', 'group', 'cgroup'] as const;

export function captureOf(text: string): Capture {
  if (text === '') return { whose: 'mine', name: '' };
  if (text === 'everyone') return { whose: 'everyone', name: '' };
  const whose = NAMED.find((kind) => text.startsWith(`${kind}:`));
  return whose ? { whose, name: text.slice(whose.length + 1) } : { whose: 'other', name: text };
}

export function captureText({ whose, name }: Capture): string {
  switch (whose) {
    case 'mine':
      return '';
    case 'everyone':
      return 'everyone';
    case 'other':
      return name;
    default:
      return `${whose}:${name}`;
  }
}

export function isNamed(whose: Whose): boolean {
  return WHOSE[whose].label !== '';
}

/** The least that an administrator has to allow for it; `me` is this user's name, where it is known. */
export function neededGrant(text: string, me: string | undefined): GrantScope {
  const { whose, name } = captureOf(text);
  const own = whose === 'mine' || whose === 'cgroup' || (whose === 'user' && name === me);
  return own ? 'own' : 'all';
}
