// "One-time set-up" while it is in front of the user: what is to be allowed, and what happens when it is.

import type { GrantScope, HelperSetup, Profile } from './bindings';
import { neededGrant } from './capture';
import type { Helper } from './helper.svelte';

export class SetUp {
  /** To be connected afterwards. */
  readonly profile: Profile | null;
  /** The least that is of any use; more may be chosen. */
  readonly least: GrantScope;
  scope = $state<GrantScope>('own');
  readonly #helper: Helper;

  constructor(helper: Helper, profile: Profile | null, wanted?: GrantScope) {
    this.#helper = helper;
    this.profile = profile;
    this.least = wanted ?? leastFor(profile, helper);
    this.scope = this.least === 'all' || helper.state?.grant === 'all' ? 'all' : 'own';
    helper.clear();
  }

  /** What there is now decides on what is installed and on the words. */
  get setup(): HelperSetup {
    return this.#helper.state?.setup ?? 'missing';
  }

  /** Whether it is done now. */
  async run(): Promise<boolean> {
    return (await this.#helper.ask('set-up', { type: 'setUpHelper', grant: this.scope })) !== null;
  }
}

/** Who may send their own traffic and was refused needs more. */
function leastFor(profile: Profile | null, helper: Helper): GrantScope {
  if (!profile) return 'own';
  const ready = helper.state?.setup === 'installed' || helper.state?.setup === 'packaged';
  if (ready && helper.state?.grant === 'own') return 'all';
  return neededGrant(profile.capture, helper.me?.name);
}
