// What is said about the privileged helper, by how it is there.

import type { GrantScope, HelperSetup, HelperState, Leftovers } from './bindings';
import { counted } from './format';
import { isMac } from './platform';

interface Words {
  title: string;
  text: string;
}

const PURPOSE =
  'It changes this computer’s network rules for your tunnels and does nothing else. It runs only while it is needed.';

const WHERE =
  (isMac
    ? 'In the system’s folders for programs like this.'
    : 'The program in /usr/local/libexec, its service file in the system’s folders.') +
  ' Only an administrator can change them.';

/** The row of settings that says what is installed. */
export function setupWords({ setup, version }: Pick<HelperState, 'setup' | 'version'>): Words {
  const named = version ? `Set-up part ${version}` : 'Set-up part';
  switch (setup) {
    case 'missing':
      return {
        title: 'Not set up yet',
        text: `Tunnels need a small set-up part. ${PURPOSE} It can be removed here at any time.`,
      };
    case 'installed':
      return { title: named, text: `${PURPOSE} This app installed it and can remove it.` };
    case 'packaged':
      return {
        title: named,
        text: `${PURPOSE} It came with Ropeway’s package and goes when that is removed.`,
      };
    case 'old':
      return {
        title: version ? `Set-up part ${version} is older than the app` : 'Set-up part is older than the app',
        text: 'The two cannot work together. Updating takes a moment; permissions stay as they are.',
      };
    case 'own':
      return {
        title: 'No set-up needed',
        text: 'This Ropeway was started by an administrator and changes network rules itself.',
      };
  }
}

/** Title of the sheet and its main button. */
export function sheetWords(setup: HelperSetup, grant: GrantScope | null): { title: string; action: string } {
  if (setup === 'missing') return { title: 'One-time set-up', action: 'Set up' };
  if (setup === 'old') return { title: 'Update the set-up', action: 'Update' };
  if (grant === 'own') return { title: 'Allow the whole computer', action: 'Allow' };
  return { title: 'One-time permission', action: 'Allow' };
}

/** Facts before anything is asked: what, where, and how to be rid of it. */
export function sheetFacts(setup: HelperSetup): { name: string; text: string }[] {
  const installs = setup === 'missing' || setup === 'old';
  const installed = installs
    ? 'A small program that changes network rules for tunnels and does nothing else, with its service file.'
    : 'Nothing. The set-up part is there already.';
  return [
    { name: setup === 'old' ? 'Replaced' : 'Installed', text: installed },
    ...(installs ? [{ name: 'Where', text: WHERE }] : []),
    { name: 'Asked', text: 'Your system asks for an administrator, this once. Connecting never asks again.' },
    {
      name: 'Removed',
      text:
        installs || setup === 'installed'
          ? 'In Settings, at any time. Nothing stays.'
          : 'The permission in Settings, at any time; the program with its package.',
    },
  ];
}

export const SCOPES: Record<GrantScope, Words & { row: string }> = {
  own: {
    title: 'Just my traffic',
    text: 'Your programs go through tunnels. Other users and the system notice nothing.',
    row: 'Own traffic',
  },
  all: {
    title: 'The whole computer',
    text: 'You may send everybody’s traffic through tunnels, and change the names this computer knows.',
    row: 'Whole computer',
  },
};

/** Null where nothing is held. */
export function leftoverWords({ mine, others }: Leftovers): string | null {
  const held = (n: number): string => `Traffic to networks of ${counted(n, 'profile', 'profiles')}`;
  if (mine > 0) return `${held(mine)} is still held since a crash.`;
  if (others > 0) return `${held(others)} of other users is still held since a crash.`;
  return null;
}

export function restoredWords(count: number): string {
  return count === 0
    ? 'Nothing was held any more.'
    : `${counted(count, 'profile’s', 'profiles’')} networks are reached again.`;
}
