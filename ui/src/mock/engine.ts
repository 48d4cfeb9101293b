// Profiles in memory, tunnels that come up after a moment, connections from a fixed seed.

import { EngineError, type Backend, type Unsubscribe, type Wish } from '../lib/backend';
import type { Command, Event, Interest, Profile, ProfileId, Reply, Status } from '../lib/bindings';
import { check } from './check';
import { failure } from './failures';
import { MockHelper } from './helper';
import { hostsOf } from './hosts';
import { previewOf } from './import';
import type { MockScene } from './scenes';
import { statusOf } from './states';
import { Traffic } from './traffic';

// The longest that the real engine lets pass between two deltas of a busy table.
const DELTA = 200;
const SIGN_IN = 700;

interface Listener {
  interest: Interest;
  hear: (event: Event) => void;
}

export class MockEngine implements Backend {
  profiles: Profile[];
  readonly statuses = new Map<ProfileId, Status>();
  /** Everything that was asked, for tests. */
  readonly asked: Command[] = [];
  readonly helper: MockHelper;
  /** Says a wish of the tray's. */
  wish: (wish: Wish) => void = () => undefined;
  readonly #scene: MockScene;
  readonly #traffic: Traffic;
  readonly #listeners = new Set<Listener>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(scene: MockScene) {
    this.#scene = scene;
    this.profiles = scene.profiles;
    this.helper = new MockHelper(scene.helper);
    this.#traffic = new Traffic(scene.connections);
    for (const status of scene.statuses) this.statuses.set(status.profile, status);
  }

  async command(command: Command): Promise<Reply> {
    this.asked.push(command);
    switch (command.type) {
      case 'connect':
      case 'reconnect':
        return this.#connect(command.profile);
      case 'disconnect':
      case 'toggle':
        return this.#disconnect(command.profile);
      case 'check':
        return { type: 'checked', checked: check(command.profile) };
      case 'save':
        return this.#save(command.profile);
      case 'delete':
        this.#replace(this.profiles.filter((profile) => profile.id !== command.profile));
        return { type: 'done' };
      case 'previewImport':
        return { type: 'preview', preview: previewOf(command.text) };
      case 'import':
        return this.#import(command.text);
      case 'closeConnection':
        this.#traffic.close(command.connection);
        return { type: 'done' };
      case 'helper':
      case 'setUpHelper':
      case 'revokeGrant':
      case 'removeHelper':
      case 'restoreNetwork':
        return this.#ofHelper(command);
      default:
        return { type: 'done' };
    }
  }

  async attend(hear: (wish: Wish) => void): Promise<void> {
    this.wish = hear;
  }

  async subscribe(interest: Interest, hear: (event: Event) => void): Promise<Unsubscribe> {
    const listener = { interest, hear };
    this.#listeners.add(listener);
    hear(this.#list());
    hear({ type: 'helper', helper: this.helper.state });
    for (const status of this.statuses.values()) hear({ type: 'status', status });
    if (interest.connections) hear({ type: 'connections', delta: this.#traffic.snapshot(this.#up()) });
    if (interest.hosts) hear({ type: 'hosts', delta: hostsOf(this.#up()) });
    this.#run();
    return () => {
      this.#listeners.delete(listener);
      this.#run();
    };
  }

  /** How many listen to connections. */
  get watchers(): number {
    return [...this.#listeners].filter(({ interest }) => interest.connections).length;
  }

  /** How many listen to names. */
  get hostWatchers(): number {
    return [...this.#listeners].filter(({ interest }) => interest.hosts).length;
  }

  /** Says something to every listener, as the engine would. */
  say(event: Event): void {
    if (event.type === 'status') this.statuses.set(event.status.profile, event.status);
    for (const { interest, hear } of this.#listeners) {
      if (event.type === 'connections' && !interest.connections) continue;
      if (event.type === 'hosts' && !interest.hosts) continue;
      hear(event);
    }
  }

  #connect(id: ProfileId): Reply {
    this.#become(id, 'connecting');
    setTimeout(() => {
      if (this.statuses.get(id)?.phase === 'connecting')
        this.#become(id, this.helper.obstacle ?? 'connected');
    }, SIGN_IN);
    return { type: 'done' };
  }

  async #ofHelper(command: Command): Promise<Reply> {
    const reply = await this.helper.command(command);
    this.say({ type: 'helper', helper: this.helper.state });
    return reply;
  }

  #disconnect(id: ProfileId): Reply {
    this.#become(id, 'off');
    return { type: 'done' };
  }

  #become(id: ProfileId, state: Parameters<typeof statusOf>[1]): void {
    const profile = this.profiles.find((one) => one.id === id);
    if (!profile) throw new EngineError(failure('E-PROFILE-MISSING', id));
    this.say({ type: 'status', status: statusOf(profile, state) });
  }

  #save(profile: Profile): Reply {
    const checked = check(profile);
    if (checked.problems.length > 0) return { type: 'checked', checked };
    const id = profile.id || this.#freeId(profile.name);
    const saved = { ...profile, id };
    const before = this.profiles.find((one) => one.id === id);
    const status = this.statuses.get(id);
    if (before && status && status.phase !== 'off' && before.server !== saved.server)
      this.say({ type: 'status', status: { ...status, outdated: true } });
    const known = before !== undefined;
    this.#replace(
      known ? this.profiles.map((one) => (one.id === id ? saved : one)) : [saved, ...this.profiles],
    );
    return { type: 'saved', profile: id };
  }

  #import(text: string): Reply {
    const ids = previewOf(text)
      .profiles.filter((found) => found.checked.problems.length === 0)
      .map((found) => this.#save({ ...found.profile, id: '' }))
      .flatMap((reply) => (reply.type === 'saved' ? [reply.profile] : []));
    return { type: 'imported', profiles: ids };
  }

  #freeId(name: string): ProfileId {
    const stem = name.toLowerCase().replace(/[^a-z0-9]+/g, '-') || 'profile';
    const taken = new Set(this.profiles.map((profile) => profile.id));
    for (let n = 1; ; n += 1) {
      const id = n === 1 ? stem : `${stem}-${n}`;
      if (!taken.has(id)) return id;
    }
  }

  #replace(profiles: Profile[]): void {
    this.profiles = profiles;
    this.say(this.#list());
  }

  #list(): Event {
    return { type: 'profiles', profiles: this.profiles, broken: this.#scene.broken };
  }

  #up(): ProfileId[] {
    return [...this.statuses.values()]
      .filter(({ phase }) => phase === 'connected')
      .map(({ profile }) => profile);
  }

  /** Connections move only while somebody looks. */
  #run(): void {
    clearInterval(this.#timer);
    this.#timer =
      this.watchers > 0
        ? setInterval(() => this.say({ type: 'connections', delta: this.#traffic.step(this.#up()) }), DELTA)
        : undefined;
  }
}
