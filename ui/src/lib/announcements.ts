// What a screen reader is told: that a profile reached another state. Not every second of a countdown.

import type { Phase, Profile, ProfileId, Status } from './bindings';
import { phaseOf, wordsOf } from './status';

export interface ProfileState {
  profile: Profile;
  status: Status;
}

export class Announcements {
  readonly #phases = new Map<ProfileId, Phase>();

  /** What is new since the last call, in words; the first state of a profile is no change. */
  next(states: readonly ProfileState[]): string | null {
    const changed = states.filter(({ profile, status }) => this.#hasChanged(profile.id, status.phase));
    if (changed.length === 0) return null;
    return changed.map(({ profile, status }) => `${profile.name}: ${reason(status)}`).join('. ');
  }

  #hasChanged(id: ProfileId, phase: Phase): boolean {
    const before = this.#phases.get(id);
    this.#phases.set(id, phase);
    return before !== undefined && before !== phase;
  }
}

function reason(status: Status): string {
  return phaseOf(status) === 'error' && status.failure ? status.failure.title : wordsOf(status);
}
