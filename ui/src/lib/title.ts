// The title of the window, which the desktop shows in its lists and a screen reader says first.

import type { Desk } from './desk.svelte';
import { wordsOf } from './status';

export function titleOf(desk: Desk): string {
  const profile = desk.profile;
  return profile ? `Ropeway — ${profile.name}: ${wordsOf(desk.profiles.status(profile.id))}` : 'Ropeway';
}
