// A profile in the editor: what was typed, what the engine says about it, and whether it may be saved. The engine alone
// knows what is right; every change is sent to it after a short pause.

import { SvelteSet } from 'svelte/reactivity';

import type { Backend } from './backend';
import type { Checked, Expansion, Field, Problem, Profile, ProfileId, WhileDown } from './bindings';
import { Entries } from './entries.svelte';
import { emptyProfile } from './profile';

// Long enough that a fast typist is not told about half a word, short enough to feel immediate.
const PAUSE = 150;

export type TextField = 'name' | 'server' | 'sshCommand' | 'capture' | 'latency';
export type ListField = 'subnets' | 'excludes';

export class Draft {
  readonly original: Profile;
  name = $state('');
  server = $state('');
  sshCommand = $state('');
  capture = $state('');
  whileDown = $state<WhileDown>('open');
  latency = $state('');
  readonly subnets: Entries;
  readonly excludes: Entries;
  saving = $state(false);

  checked = $state.raw<Checked>({ problems: [], expansions: [] });
  readonly #backend: Backend;
  /** Fields that the user was at and that were checked since: an empty form does not begin with reproaches. */
  readonly #touched = new SvelteSet<Field>();
  /** Fields that the user was at while the last answer is still about the text before. */
  readonly #pending = new Set<Field>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  constructor(backend: Backend, profile: Profile = emptyProfile()) {
    this.#backend = backend;
    this.original = profile;
    this.name = profile.name;
    this.server = profile.server;
    this.sshCommand = profile.sshCommand;
    this.capture = profile.capture;
    this.whileDown = profile.whileDown;
    this.latency = profile.latency;
    this.subnets = new Entries(profile.subnets);
    this.excludes = new Entries(profile.excludes);
    if (!this.isNew) for (const field of FIELDS) this.#touched.add(field);
    void this.#check();
  }

  get isNew(): boolean {
    return this.original.id === '';
  }

  readonly profile: Profile = $derived.by(() => ({
    ...this.original,
    name: this.name.trim(),
    server: this.server.trim(),
    sshCommand: this.sshCommand.trim(),
    subnets: this.subnets.all,
    excludes: this.excludes.all,
    capture: this.capture.trim(),
    whileDown: this.whileDown,
    latency: this.latency.trim(),
  }));
  readonly changed = $derived.by(() => JSON.stringify(this.profile) !== JSON.stringify(this.original));
  readonly problems = $derived(this.checked.problems.filter((problem) => this.#touched.has(problem.field)));
  /** How many fields the user has to look at. */
  readonly needing = $derived(new Set(this.problems.map((problem) => problem.field)).size);

  problemsOf(field: Field): Problem[] {
    return this.problems.filter((problem) => problem.field === field);
  }

  expansionsOf(field: Field): Expansion[] {
    return this.checked.expansions.filter((expansion) => expansion.field === field);
  }

  /** To be called after every change. An answer that is still on its way is about the text before: it is not awaited. */
  touch(field: Field): void {
    this.#pending.add(field);
    this.#asked += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), PAUSE);
  }

  setText(field: TextField, text: string): void {
    this[field] = text;
    this.touch(field);
  }

  /** Puts what was probably meant in the place of what was typed. */
  accept(problem: Problem): void {
    const { field, suggestion } = problem;
    if (suggestion === null) return;
    if (field === 'subnets' || field === 'excludes') this[field].replace(problem.index ?? 0, suggestion);
    else if (isText(field)) this[field] = suggestion;
    this.touch(field);
  }

  /** The new profile's id, or null when the engine found something that has to be seen to first. */
  async save(): Promise<ProfileId | null> {
    this.saving = true;
    try {
      const reply = await this.#backend.command({ type: 'save', profile: this.profile });
      if (reply.type === 'saved') return reply.profile;
      if (reply.type === 'checked') this.#learn(reply.checked);
      return null;
    } finally {
      this.saving = false;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#asked += 1;
  }

  async #check(): Promise<void> {
    const asked = ++this.#asked;
    // A check that fails leaves the last answer; saving will tell what is wrong.
    const reply = await this.#backend.command({ type: 'check', profile: this.profile }).catch(() => null);
    if (reply?.type === 'checked' && asked === this.#asked) this.#show(reply.checked, this.#pending);
  }

  /** After a try to save, everything is said. */
  #learn(checked: Checked): void {
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.#show(checked, FIELDS);
  }

  #show(checked: Checked, fields: Iterable<Field>): void {
    for (const field of fields) this.#touched.add(field);
    this.#pending.clear();
    this.checked = checked;
  }
}

function isText(field: Field): field is TextField {
  return (TEXT_FIELDS as readonly Field[]).includes(field);
}

const TEXT_FIELDS: readonly TextField[] = ['name', 'server', 'sshCommand', 'capture', 'latency'];

const FIELDS: readonly Field[] = [
  'name',
  'server',
  'sshCommand',
  'subnets',
  'excludes',
  'capture',
  'latency',
];
