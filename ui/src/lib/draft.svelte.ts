// A profile in the editor: what was typed, what the engine says about it, and whether it may be saved. The engine alone
// knows what is right; every change is sent to it after a short pause.

import { SvelteSet } from 'svelte/reactivity';

import type { Backend } from './backend';
import type { Checked, Expansion, Field, Names, Problem, Profile, ProfileId, WhileDown } from './bindings';
import { Entries } from './entries.svelte';
import { emptyProfile } from './profile';

// Long enough that a fast typist is not told about half a word, short enough to feel immediate.
const PAUSE = 150;

export type TextField = 'name' | 'server' | 'sshCommand' | 'capture' | 'latency' | 'suffix';
export type ListField =
  'subnets' | 'excludes' | 'domains' | 'nameServers' | 'nsHosts' | 'seedHosts' | 'share';

export type Dns = 'off' | 'all' | 'some';

/** Whoever names servers and nothing else means all names. */
function dnsOf({ dns, domains, nameServers, nsHosts }: Names): Dns {
  if (domains.length > 0) return 'some';
  return dns || nameServers.length > 0 || nsHosts.length > 0 ? 'all' : 'off';
}

/** Which names of computers near the server are looked for. */
export type Hosts = 'none' | 'these' | 'all';

function hostsOf({ autoHosts, seedHosts }: Names): Hosts {
  if (autoHosts) return 'all';
  return seedHosts.length > 0 ? 'these' : 'none';
}

export class Draft {
  readonly original: Profile;
  name = $state('');
  server = $state('');
  sshCommand = $state('');
  capture = $state('');
  whileDown = $state<WhileDown>('open');
  latency = $state('');
  suffix = $state('');
  /** Who answers questions to name servers: nobody else, the server, the server for some domains. */
  dns = $state<Dns>('off');
  hosts = $state<Hosts>('none');
  autoNets = $state(false);
  localNetworks = $state(false);
  udp = $state(false);
  readonly subnets: Entries;
  readonly excludes: Entries;
  readonly domains: Entries;
  readonly nameServers: Entries;
  readonly nsHosts: Entries;
  readonly seedHosts: Entries;
  readonly share: Entries;
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
    const { names, reach } = profile;
    this.suffix = names.suffix;
    this.dns = dnsOf(names);
    this.hosts = hostsOf(names);
    this.autoNets = reach.autoNets;
    this.localNetworks = reach.localNetworks;
    this.udp = reach.udp;
    this.domains = new Entries(names.domains);
    this.nameServers = new Entries(names.nameServers);
    this.nsHosts = new Entries(names.nsHosts);
    this.seedHosts = new Entries(names.seedHosts);
    this.share = new Entries(reach.share);
    if (!this.isNew) for (const field of FIELDS) this.#touched.add(field);
    void this.#check();
  }

  /** Whether something was chosen that most profiles never need. */
  get hasAdvanced(): boolean {
    const usual = emptyProfile();
    const { capture, whileDown, latency, names, reach } = this.original;
    return (
      JSON.stringify({ capture, whileDown, latency, names, reach }) !==
      JSON.stringify({
        capture: usual.capture,
        whileDown: usual.whileDown,
        latency: usual.latency,
        names: usual.names,
        reach: usual.reach,
      })
    );
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
    names: {
      dns: this.dns === 'all',
      domains: this.dns === 'some' ? this.domains.all : [],
      nameServers: this.dns === 'off' ? [] : this.nameServers.all,
      nsHosts: this.dns === 'off' ? [] : this.nsHosts.all,
      autoHosts: this.hosts === 'all',
      seedHosts: this.hosts === 'none' ? [] : this.seedHosts.all,
      suffix: this.suffix.trim(),
    },
    reach: {
      autoNets: this.autoNets,
      localNetworks: this.localNetworks,
      udp: this.udp,
      share: this.share.all,
    },
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
    if (isText(field)) this[field] = suggestion;
    else this[field].replace(problem.index ?? 0, suggestion);
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

const TEXT_FIELDS: readonly TextField[] = ['name', 'server', 'sshCommand', 'capture', 'latency', 'suffix'];

const FIELDS: readonly Field[] = [
  'name',
  'server',
  'sshCommand',
  'subnets',
  'excludes',
  'capture',
  'latency',
  'domains',
  'nameServers',
  'nsHosts',
  'seedHosts',
  'suffix',
  'share',
];
