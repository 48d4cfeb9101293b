// A privileged helper that pretends, and an administrator who says what the address of the page wants.

import { EngineError } from '../lib/backend';
import type { Command, HelperState, Reply } from '../lib/bindings';
import { failure } from './failures';
import type { MockState } from './states';

export type HelperScene = 'ready' | 'installed' | 'missing' | 'not-granted' | 'old' | 'own' | 'leftovers';
/** What the administrator says; `never` is one who went for lunch. */
export type Answer = 'yes' | 'no' | 'never' | 'broken';

// Long enough to be seen, short enough to be waited for.
const THINKING = 400;
const VERSION = '1.0.0';
const ME = 1000;

const NOTHING = { mine: 0, others: 0 };
const OWN: HelperState['grants'][number] = { uid: ME, name: 'dev', grant: 'own', me: true };
const OTHER: HelperState['grants'][number] = { uid: 1001, name: 'ops', grant: 'all', me: false };
const READY: HelperState = {
  setup: 'packaged',
  version: VERSION,
  grant: 'own',
  grants: [OWN, OTHER],
  leftovers: NOTHING,
};

const SCENES: Record<HelperScene, HelperState> = {
  ready: READY,
  installed: { ...READY, setup: 'installed' },
  missing: { setup: 'missing', version: null, grant: null, grants: [], leftovers: NOTHING },
  'not-granted': { ...READY, grant: null, grants: [OTHER] },
  old: { ...READY, setup: 'old', version: '0.9.2' },
  own: { setup: 'own', version: VERSION, grant: 'all', grants: [], leftovers: NOTHING },
  leftovers: { ...READY, leftovers: { mine: 1, others: 2 } },
};

export class MockHelper {
  state: HelperState;
  answer: Answer = 'yes';

  constructor(scene: HelperScene) {
    this.state = SCENES[scene];
  }

  /** Why a tunnel of this user does not come up, if it does not. */
  get obstacle(): MockState | null {
    const { setup, grant } = this.state;
    if (setup === 'missing') return 'helper-missing';
    if (setup === 'old') return 'helper-old';
    return grant === null ? 'not-granted' : null;
  }

  async command(command: Command): Promise<Reply> {
    if (command.type === 'helper') return { type: 'helper', helper: this.state };
    if (command.type === 'restoreNetwork' && !command.everybody) return this.#restore(false);
    await this.#ask();
    switch (command.type) {
      case 'setUpHelper':
        this.#allow(command.grant);
        break;
      case 'revokeGrant':
        this.#revoke(command.uid);
        break;
      case 'removeHelper':
        this.state = SCENES.missing;
        break;
      case 'restoreNetwork':
        return this.#restore(true);
    }
    return { type: 'done' };
  }

  async #ask(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, THINKING));
    if (this.answer === 'never') await new Promise(() => undefined);
    if (this.answer === 'no') throw new EngineError(failure('E-DENIED', 'this computer'));
    if (this.answer === 'broken') throw new EngineError(failure('E-HELPER-SETUP', 'this computer'));
  }

  #allow(grant: 'own' | 'all'): void {
    const fresh = this.state.setup === 'missing' || this.state.setup === 'old';
    const grants = [{ ...OWN, grant }, ...this.state.grants.filter(({ me }) => !me)];
    const setup = fresh ? 'installed' : this.state.setup;
    this.state = { ...this.state, setup, version: VERSION, grant, grants };
  }

  #revoke(uid: number): void {
    const grants = this.state.grants.filter((row) => row.uid !== uid);
    this.state = { ...this.state, grants, grant: uid === ME ? null : this.state.grant };
  }

  #restore(everybody: boolean): Reply {
    const { mine, others } = this.state.leftovers;
    this.state = { ...this.state, leftovers: { mine: 0, others: everybody ? 0 : others } };
    return { type: 'restored', count: mine + (everybody ? others : 0) };
  }
}
