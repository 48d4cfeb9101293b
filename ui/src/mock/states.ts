// A status for every state that the window can show, in the engine's words.

import type { Code, Profile, Status } from '../lib/bindings';
import { hostOf } from '../lib/format';
import { offStatus } from '../lib/status';
import { failure } from './failures';

export type MockState =
  | 'off'
  | 'connecting'
  | 'connected'
  | 'unverified'
  | 'degraded'
  | 'reconnecting'
  | 'blocking'
  | 'waiting'
  | 'needs-you'
  | 'paused'
  | 'error'
  | 'set-up'
  | 'not-granted'
  | 'helper-missing'
  | 'helper-old'
  | 'rules-put-back'
  | 'overlapping'
  | 'given-up';

export function statusOf(profile: Profile, state: MockState, now = Date.now()): Status {
  const host = profile.server ? hostOf(profile.server) : 'this computer';
  const status = { ...offStatus(profile.id), since: now };
  return { ...status, ...COURSES[state](host, networks(profile), now) };
}

function networks({ subnets }: Profile): string {
  return subnets.length === 1 ? (subnets[0] ?? '') : `${subnets.length} networks`;
}

type Course = (host: string, nets: string, now: number) => Partial<Status>;

const COURSES: Record<MockState, Course> = {
  off: (host, nets) => ({ words: 'Off', sentence: `Switch on to reach ${nets} through ${host}.` }),
  connecting: (host) => ({
    phase: 'connecting',
    words: 'Connecting — signing in',
    sentence: `Signing in to ${host}.`,
    attempt: 1,
  }),
  connected: (host, nets, now) => ({
    phase: 'connected',
    words: 'Connected',
    sentence: `Traffic to ${nets} goes through ${host}.`,
    since: now - 8_040_000,
    roundTrip: 38_200,
  }),
  unverified: (host, nets) => ({
    phase: 'connected',
    unverified: true,
    words: 'Connected — not verified',
    sentence: `Traffic to ${nets} goes to ${host}, which has not answered yet.`,
  }),
  degraded: (host) => ({
    phase: 'connected',
    degraded: true,
    words: 'Slow: 900 ms',
    sentence: `Everything works, but ${host} answers late.`,
    roundTrip: 900_000,
  }),
  reconnecting: (host, _nets, now) => ({
    phase: 'reconnecting',
    words: 'Reconnecting (2nd try, in 8 s)',
    sentence: failure('E-SSH-ENDED', host).cause,
    attempt: 2,
    nextRetry: now + 8000,
    failure: failure('E-SSH-ENDED', host),
  }),
  blocking: (host, nets, now) => ({
    ...COURSES.reconnecting(host, nets, now),
    blocking: true,
    words: `Reconnecting — traffic to ${nets} is held`,
    sentence:
      `${failure('E-SSH-ENDED', host).cause} Until it is connected, traffic to ${nets} is held; ` +
      'disconnect to let it go its usual way.',
  }),
  waiting: () => ({
    phase: 'waiting',
    words: 'Waiting for network',
    sentence: 'It goes on by itself when this computer is online.',
  }),
  'needs-you': (host) => ({
    phase: 'needs-you',
    words: 'Needs your code',
    sentence: `${host} asks for a code.`,
  }),
  paused: () => ({
    phase: 'paused',
    words: 'Paused, 7 min left',
    sentence: 'Traffic goes its usual way meanwhile.',
  }),
  error: (host) => ({
    phase: 'error',
    words: `${host} refused your key`,
    failure: failure('E-AUTH-KEY', host),
  }),
  'set-up': () => ({ phase: 'set-up', words: 'Set-up not finished', sentence: 'Finish it to connect.' }),
  'not-granted': () => stopped('E-NOT-GRANTED'),
  'helper-missing': () => stopped('E-HELPER-MISSING'),
  'helper-old': () => stopped('E-HELPER-OLD'),
  'rules-put-back': (host, nets, now) => ({
    ...COURSES.connected(host, nets, now),
    failure: failure('E-FW-GONE', 'this computer'),
  }),
  overlapping: (host, nets, now) => ({
    ...COURSES.connected(host, nets, now),
    conflicts: [
      { subnet: '10.40.0.0/16', holder: 'Work' },
      { subnet: '192.0.2.0/24', holder: 'another user of this computer' },
    ],
  }),
  'given-up': (host) => ({
    ...COURSES.error(host, '', 0),
    blocking: true,
    words: `${host} refused your key — traffic is held`,
  }),
};

function stopped(code: Code): Partial<Status> {
  const why = failure(code, 'this computer');
  return { phase: 'error', words: why.title.replace(/\.$/, ''), failure: why };
}
