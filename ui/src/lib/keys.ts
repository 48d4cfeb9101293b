// The keys of the window, in one table: what it shows in a hint is what it listens to.

import { isMac } from './platform';

export type Action = 'add' | 'import' | 'toggle' | 'edit' | 'filter' | 'settings';

const KEYS: Record<string, Action> = {
  n: 'add',
  o: 'import',
  t: 'toggle',
  e: 'edit',
  f: 'filter',
  ',': 'settings',
};

/** The action of a key press with Ctrl (on a Mac ⌘) and nothing else held. */
export function actionOf(event: KeyboardEvent): Action | undefined {
  const command = isMac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
  if (!command || event.altKey || event.shiftKey) return undefined;
  return KEYS[event.key.toLowerCase()];
}

/** `Ctrl N`, `⌘N`. */
export function hintOf(action: Action): string {
  const key =
    Object.entries(KEYS)
      .find(([, name]) => name === action)?.[0]
      ?.toUpperCase() ?? '';
  return isMac ? `⌘${key}` : `Ctrl ${key}`;
}
