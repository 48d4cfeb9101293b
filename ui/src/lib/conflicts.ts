// Networks that go elsewhere, in words.

import type { Conflict } from './bindings';

/** `names` are those of the user's own profiles: what is none of them is somebody's program. */
export function conflictWords({ subnet, holder }: Conflict, names: ReadonlySet<string>): string {
  return names.has(holder)
    ? `${subnet} goes through ${holder} already.`
    : `${subnet} is used by ${holder} already.`;
}
