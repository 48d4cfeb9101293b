// Settings, and everything that is asked of the privileged helper from there or from a profile that needs it.

import type { Backend } from './backend';
import type { GrantRow, GrantScope, Profile, ProfileId } from './bindings';
import type { Question } from './desk.svelte';
import { Helper } from './helper.svelte';
import { SetUp } from './setup.svelte';
import { restoredWords } from './setup-words';

export interface Around {
  ask: (question: Question) => void;
  connect: (profile: ProfileId) => void;
}

export class Settings {
  readonly helper: Helper;
  shown = $state(false);
  setUp = $state.raw<SetUp | null>(null);
  readonly #around: Around;

  constructor(backend: Backend, around: Around) {
    this.helper = new Helper(backend);
    this.#around = around;
  }

  open(): void {
    if (!this.helper.waiting) this.helper.clear();
    this.shown = true;
    void this.helper.look();
  }

  close(): void {
    this.shown = false;
  }

  /** Explains what set-up does; nothing happens yet. */
  openSetUp(profile: Profile | null, wanted?: GrantScope): void {
    if (!this.helper.waiting) this.setUp = new SetUp(this.helper, profile, wanted);
  }

  /** Sets up, and connects what was waiting for it. */
  async runSetUp(): Promise<void> {
    const setUp = this.setUp;
    if (!(await setUp?.run())) return;
    this.setUp = null;
    if (setUp?.profile) this.#around.connect(setUp.profile.id);
    else this.helper.done = 'Set-up is finished.';
  }

  /** Closes the sheet. A question that the system still shows has no consequence for the profile any more. */
  closeSetUp(): void {
    this.helper.stopWaiting();
    this.helper.clear();
    this.setUp = null;
  }

  askRemove(): void {
    this.#around.ask({
      title: 'Remove the set-up part?',
      text:
        'This removes the program, its service file, everybody’s permissions and all network rules of Ropeway. ' +
        'Tunnels of every user end. Profiles stay as they are.',
      action: 'Remove',
      onyes: () => void this.#do('remove', { type: 'removeHelper' }, 'Removed; nothing of it is left.'),
    });
  }

  askRevoke({ uid, name, me }: GrantRow): void {
    const [whose, who] = me ? ['your', 'You'] : [`${name}’s`, name];
    this.#around.ask({
      title: `Revoke ${whose} permission?`,
      text: `${who} cannot connect any more until an administrator allows it again.`,
      action: 'Revoke',
      onyes: () => void this.#do('revoke', { type: 'revokeGrant', uid }, `${name} may not use it any more.`),
    });
  }

  async restore(everybody: boolean): Promise<void> {
    const reply = await this.helper.ask('restore', { type: 'restoreNetwork', everybody });
    if (reply?.type === 'restored') this.helper.done = restoredWords(reply.count);
  }

  async #do(task: 'remove' | 'revoke', command: Parameters<Helper['ask']>[1], done: string): Promise<void> {
    if (await this.helper.ask(task, command)) this.helper.done = done;
  }
}
