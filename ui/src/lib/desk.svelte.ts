// What the window knows and does: the profiles, the live connections, where the user is, and every command that a
// click or a key can cause. Components read it and call it; it knows no component.

import { failureOf, type Backend, type Unsubscribe, type Wish } from './backend';
import type { BrokenProfile, Command, Event, Failure, Profile, ProfileId, Reply } from './bindings';
import { Draft } from './draft.svelte';
import { LiveHosts } from './hosts.svelte';
import { Importer } from './importer.svelte';
import { LiveConnections } from './live.svelte';
import { ProfileList } from './profiles.svelte';
import { Settings } from './settings.svelte';
import { isOn } from './status';
import { ConnectionTable } from './table.svelte';

export type Tab = 'overview' | 'connections' | 'hosts';

/** A question that has to be answered before anything happens. */
export interface Question {
  title: string;
  text: string;
  action: string;
  onyes: () => void;
}

export class Desk {
  readonly profiles = new ProfileList();
  readonly live = new LiveConnections();
  readonly hosts = new LiveHosts();
  readonly table = new ConnectionTable(this.live, () => this.profile?.id ?? '');

  tab = $state<Tab>('overview');
  /** In a narrow window the list of profiles is a page of its own. */
  atList = $state(true);
  draft = $state.raw<Draft | null>(null);
  importer = $state.raw<Importer | null>(null);
  question = $state.raw<Question | null>(null);
  /** Why the last command was not done. */
  failure = $state.raw<Failure | null>(null);

  readonly settings: Settings;
  readonly backend: Backend;
  #chosen = $state<ProfileId | null>(null);
  /** The user has shown what the window is to be about; until then it follows what is up. */
  #picked = false;
  #chosenFile = $state<string | null>(null);
  /** A wish about a profile, from before the list of them came. */
  #early: Wish | null = null;
  /** Profiles whose switch was used and not answered yet. */
  readonly #switching = new Set<ProfileId>();

  constructor(backend: Backend) {
    this.backend = backend;
    this.settings = new Settings(backend, {
      ask: (question) => (this.question = question),
      connect: (id) => void this.connect(id),
    });
  }

  readonly profile: Profile | undefined = $derived.by(() =>
    this.#chosenFile === null ? this.profiles.byId(this.#chosen) : undefined,
  );
  readonly brokenFile: BrokenProfile | undefined = $derived.by(() =>
    this.profiles.broken.find((broken) => broken.file === this.#chosenFile),
  );

  /** Listens to profiles and states for as long as the window lives. */
  open(): Promise<Unsubscribe> {
    return this.backend.subscribe({ connections: false, hosts: false }, (event) => this.#hear(event));
  }

  /** Listens to connections, while somebody looks. */
  watch(): Promise<Unsubscribe> {
    return this.backend.subscribe({ connections: true, hosts: false }, (event) => {
      if (event.type === 'connections') this.live.hear(event.delta, Date.now());
    });
  }

  /** Listens to names near servers, while somebody looks. */
  watchHosts(): Promise<Unsubscribe> {
    return this.backend.subscribe({ connections: false, hosts: true }, (event) => {
      if (event.type === 'hosts') this.hosts.hear(event.delta);
    });
  }

  choose(id: ProfileId): void {
    this.#leave(() => {
      this.#picked = true;
      this.#chosen = id;
      this.#chosenFile = null;
      this.atList = false;
    });
  }

  chooseBroken(file: string): void {
    this.#leave(() => {
      this.#picked = true;
      this.#chosenFile = file;
      this.atList = false;
    });
  }

  showList(): void {
    this.#leave(() => (this.atList = true));
  }

  /** Connects what is off and ends what is on, said outright: a state that changes under the click changes nothing. */
  async toggle(id: ProfileId): Promise<void> {
    if (this.#switching.has(id)) return;
    this.#switching.add(id);
    this.#picked = true;
    const type = isOn(this.profiles.status(id)) ? 'disconnect' : 'connect';
    await this.#do({ type, profile: id });
    this.#switching.delete(id);
  }

  /** Tries again what has stopped; it may be switched on all the while, because its networks are held. */
  async connect(id: ProfileId): Promise<void> {
    this.#picked = true;
    await this.#do({ type: 'connect', profile: id });
  }

  /** Ends it and begins anew, with what the profile says now. */
  async reconnect(id: ProfileId): Promise<void> {
    this.#picked = true;
    await this.#do({ type: 'reconnect', profile: id });
  }

  /** Ends it, and lets through what it held. */
  async disconnect(id: ProfileId): Promise<void> {
    this.#picked = true;
    await this.#do({ type: 'disconnect', profile: id });
  }

  /** Shows what a click in the tray's menu wants to see. */
  async attend(): Promise<void> {
    await this.backend.attend((wish) => this.show(wish)).catch(() => undefined);
  }

  show(wish: Wish): void {
    if (wish.type === 'settings') return this.settings.open();
    if (!this.profiles.known) {
      this.#early = wish;
      return;
    }
    const profile = this.profiles.byId(wish.profile);
    if (!profile) return;
    this.settings.close();
    this.choose(profile.id);
    if (!this.draft) this.settings.openSetUp(profile);
  }

  add(): void {
    this.#leave(() => this.#edit(new Draft(this.backend)));
  }

  edit(profile: Profile): void {
    this.#leave(() => this.#edit(new Draft(this.backend, profile)));
  }

  async save(): Promise<void> {
    const saved = await this.#try(async () => (await this.draft?.save()) ?? null);
    if (saved === null) return;
    this.#close();
    this.choose(saved);
  }

  /** Closes the editor; asks first when something would be lost. */
  cancelEdit(): void {
    this.#leave(() => undefined);
  }

  askDelete(profile: Profile): void {
    const on = isOn(this.profiles.status(profile.id));
    this.question = {
      title: `Delete ${profile.name}?`,
      text: `Its file is removed${on ? ', and its tunnel is ended first' : ''}. This cannot be undone.`,
      action: 'Delete',
      onyes: () => void this.#delete(profile.id),
    };
  }

  openImport(): Importer {
    this.importer ??= new Importer(this.backend);
    return this.importer;
  }

  async runImport(): Promise<void> {
    const [first] = (await this.importer?.run()) ?? [];
    if (first === undefined) return;
    this.importer = null;
    this.choose(first);
  }

  closeConnection(id: number): void {
    void this.#do({ type: 'closeConnection', connection: id });
  }

  answer(yes: boolean): void {
    const question = this.question;
    this.question = null;
    if (yes) question?.onyes();
  }

  #hear(event: Event): void {
    this.profiles.hear(event);
    this.settings.helper.hear(event);
    if (event.type === 'profiles' || event.type === 'status') this.#settle();
    if (this.#early && this.profiles.known) {
      const wish = this.#early;
      this.#early = null;
      this.show(wish);
    }
  }

  /** Something sensible is chosen as long as there is something to choose. */
  #settle(): void {
    if (this.#picked && (this.profiles.byId(this.#chosen) ?? this.brokenFile)) return;
    this.#chosenFile = null;
    this.#chosen = this.profiles.preferred()?.id ?? null;
  }

  #edit(draft: Draft): void {
    this.draft = draft;
    this.atList = false;
  }

  #close(): void {
    this.draft?.close();
    this.draft = null;
  }

  /** Goes on at once, or after the user has agreed to lose what was typed. */
  #leave(go: () => void): void {
    const leave = (): void => {
      this.#close();
      this.failure = null;
      go();
    };
    if (!this.draft?.changed) return leave();
    this.question = {
      title: 'Discard what you typed?',
      text: `${this.draft.name.trim() || 'The new profile'} is not saved.`,
      action: 'Discard',
      onyes: leave,
    };
  }

  async #delete(id: ProfileId): Promise<void> {
    this.#close();
    await this.#do({ type: 'delete', profile: id });
  }

  #do(command: Command): Promise<Reply | null> {
    return this.#try(() => this.backend.command(command));
  }

  async #try<T>(work: () => Promise<T>): Promise<T | null> {
    this.failure = null;
    try {
      return await work();
    } catch (error) {
      this.failure = failureOf(error);
      return null;
    }
  }
}
