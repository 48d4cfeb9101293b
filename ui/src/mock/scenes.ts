// What the pretending engine starts with. Names and addresses are those reserved for documentation.

import type { BrokenProfile, Profile, Status } from '../lib/bindings';
import { emptyProfile } from '../lib/profile';
import { failure } from './failures';
import type { HelperScene } from './helper';
import { statusOf, type MockState } from './states';

export interface MockScene {
  profiles: Profile[];
  statuses: Status[];
  broken: BrokenProfile[];
  /** Connections of each profile that is up. */
  connections: number;
  helper: HelperScene;
}

interface Sketch extends Partial<Profile> {
  id: string;
  name: string;
  state: MockState;
}

const HERE: Sketch = {
  id: 'this-computer',
  name: 'This computer',
  state: 'off',
  builtIn: true,
  subnets: ['0/0'],
};

const WORK: Sketch[] = [
  {
    id: 'work',
    name: 'Work',
    state: 'connected',
    server: 'dev@bastion.example.org',
    subnets: ['10/8', '172.20.0.0/16', 'fd00:20::/32'],
    excludes: ['10.0.7.0/24'],
  },
  {
    id: 'staging',
    name: 'Staging',
    state: 'blocking',
    server: 'dev@staging.example.net',
    subnets: ['10.40.0.0/16', '192.0.2.0/24'],
  },
  { id: 'lab', name: 'Lab', state: 'needs-you', server: 'lab.example.org' },
  { id: 'farm', name: 'Build farm', state: 'error', server: 'ci@work.example.org' },
  { id: 'web', name: 'Web host', state: 'degraded', server: 'site@shared.example.com' },
  { id: 'field', name: 'Field office', state: 'paused', server: 'field.example.com' },
  { id: 'mobile', name: 'Mobile', state: 'waiting', server: 'm.example.com' },
  { id: 'depot', name: 'Depot', state: 'unverified', server: 'depot.example.com' },
  { id: 'yard', name: 'Yard', state: 'connecting', server: 'yard.example.com' },
  { id: 'plant', name: 'Plant', state: 'set-up', server: 'plant.example.com' },
  {
    id: 'home',
    name: 'Home',
    state: 'off',
    server: 'me@home.example.com:2222',
    subnets: ['192.168.40.0/24'],
  },
  HERE,
];

// A profile that has been switched on for the first time.
const FRESH: Sketch[] = [
  { ...(WORK[0] as Sketch), state: 'helper-missing' },
  { ...(WORK[1] as Sketch), state: 'off', capture: 'everyone' },
  HERE,
];

// Tunnels whose rules meet others'.
const RULES: Sketch[] = [
  { ...(WORK[0] as Sketch), state: 'rules-put-back' },
  {
    ...(WORK[1] as Sketch),
    state: 'overlapping',
    subnets: ['10.40.0.0/16', '192.0.2.0/24', '198.51.100.0/24'],
  },
  { ...(WORK[3] as Sketch), state: 'given-up', whileDown: 'networks', capture: 'user:ci' },
  { ...(WORK[10] as Sketch), state: 'not-granted' },
  HERE,
];

const BROKEN: BrokenProfile[] = [
  {
    file: '/home/me/.config/ropeway/profiles/old-office.toml',
    failure: failure('E-PROFILE-FILE', 'old-office.toml'),
  },
];

// The scene "work" shows a table that needs a scroll bar, "many" one that would choke a page without windowing.
const SOME = 60;
const MANY = 10_000;

export function sceneNamed(name: string): MockScene {
  switch (name) {
    case 'empty':
      return scene([HERE], [], 0);
    case 'many':
      return scene([...WORK.slice(0, 1), HERE], [], MANY);
    case 'broken':
      return scene(WORK, BROKEN, SOME);
    case 'fresh':
      return { ...scene(FRESH, [], 0), helper: 'missing' };
    case 'rules':
      return scene(RULES, [], SOME);
    default:
      return scene(WORK, [], SOME);
  }
}

function scene(sketches: Sketch[], broken: BrokenProfile[], connections: number): MockScene {
  const drawn = sketches.map(({ state, ...fields }) => {
    const profile: Profile = { ...emptyProfile(), subnets: ['203.0.113.0/24'], ...fields };
    return { profile, status: statusOf(profile, state) };
  });
  return {
    profiles: drawn.map(({ profile }) => profile),
    statuses: drawn.map(({ status }) => status),
    broken,
    connections,
    helper: 'ready',
  };
}
