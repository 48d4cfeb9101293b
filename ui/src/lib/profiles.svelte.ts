// The saved profiles and how each of them stands, as the engine tells it.

import { SvelteMap } from 'svelte/reactivity';

import type { BrokenProfile, Event, Profile, ProfileId, Status } from './bindings';
import { isOn, offStatus } from './status';

export class ProfileList {
  all = $state.raw<Profile[]>([]);
  broken = $state.raw<BrokenProfile[]>([]);
  /** False until the engine has sent the list for the first time. */
  known = $state(false);
  readonly #statuses = new SvelteMap<ProfileId, Status>();

  /** Those that the user made; the built-in one is always there and says nothing about a first run. */
  readonly own = $derived(this.all.filter((profile) => !profile.builtIn));
  readonly names: ReadonlySet<string> = $derived(new Set(this.all.map((profile) => profile.name)));
  readonly anyOn = $derived(this.all.some((profile) => isOn(this.status(profile.id))));

  hear(event: Event): void {
    if (event.type === 'profiles') this.#replace(event.profiles, event.broken);
    if (event.type === 'status') this.#statuses.set(event.status.profile, event.status);
  }

  byId(id: ProfileId | null): Profile | undefined {
    return this.all.find((profile) => profile.id === id);
  }

  status(id: ProfileId): Status {
    return this.#statuses.get(id) ?? offStatus(id);
  }

  /** The one to show when nothing was chosen: what is up, else the user's first. */
  preferred(): Profile | undefined {
    return this.all.find((profile) => isOn(this.status(profile.id))) ?? this.own[0];
  }

  #replace(profiles: Profile[], broken: BrokenProfile[]): void {
    this.all = profiles;
    this.broken = broken;
    this.known = true;
    const ids = new Set(profiles.map((profile) => profile.id));
    for (const id of this.#statuses.keys()) if (!ids.has(id)) this.#statuses.delete(id);
  }
}
