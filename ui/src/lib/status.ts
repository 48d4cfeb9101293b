// What a state looks like: its shape, its tone, and whether the switch is on. The words are the engine's.

import type { Code, Failure, Phase, ProfileId, Status } from './bindings';

/** Names of the icon family; the tray draws the same ones. */
export type Shape =
  | 'off'
  | 'connecting'
  | 'waiting'
  | 'connected'
  | 'degraded'
  | 'unverified'
  | 'blocking'
  | 'paused'
  | 'needs-you'
  | 'error'
  | 'setup';

export type Tone = 'quiet' | 'accent' | 'warn' | 'danger';

const SHAPES: Record<Phase, Shape> = {
  off: 'off',
  connecting: 'connecting',
  reconnecting: 'connecting',
  waiting: 'waiting',
  connected: 'connected',
  paused: 'paused',
  'needs-you': 'needs-you',
  error: 'error',
  'set-up': 'setup',
};

const TONES: Record<Phase, Tone> = {
  off: 'quiet',
  connecting: 'accent',
  reconnecting: 'warn',
  waiting: 'warn',
  connected: 'accent',
  paused: 'quiet',
  'needs-you': 'warn',
  error: 'danger',
  'set-up': 'warn',
};

// What set-up mends. An engine may tell these as an error or as a state of its own.
const SET_UP: readonly Code[] = [
  'E-HELPER-MISSING',
  'E-HELPER-OLD',
  'E-NOT-GRANTED',
  'E-DENIED',
  'E-HELPER-SETUP',
];

export function isMendedBySetUp(failure: Failure): boolean {
  return SET_UP.includes(failure.code);
}

/** The phase to show: not set up is no error, whatever was told. */
export function phaseOf({ phase, failure }: Status): Phase {
  return phase === 'error' && failure && isMendedBySetUp(failure) ? 'set-up' : phase;
}

/** The state in a few words. */
export function wordsOf(status: Status): string {
  return phaseOf(status) === 'set-up' ? 'Set-up not finished' : status.words;
}

export function shapeOf(status: Status): Shape {
  if (status.blocking) return 'blocking';
  if (status.phase !== 'connected') return SHAPES[phaseOf(status)];
  if (status.unverified) return 'unverified';
  return status.degraded ? 'degraded' : 'connected';
}

export function toneOf(status: Status): Tone {
  return status.blocking || status.degraded ? 'warn' : TONES[phaseOf(status)];
}

/** Whether the switch is on: the user wants the tunnel, and the engine still works for it or holds its networks. */
export function isOn(status: Status): boolean {
  if (status.phase === 'off') return false;
  return status.blocking || !hasStopped(status);
}

/** Will not go on by itself. */
export function hasStopped(status: Status): boolean {
  return ['error', 'set-up'].includes(phaseOf(status));
}

/** On the way, so that the switch stands in the middle. */
export function isUnderWay(status: Status): boolean {
  return isOn(status) && status.phase !== 'connected' && status.phase !== 'paused';
}

/** The state of a profile of which the engine has said nothing yet. */
export function offStatus(profile: ProfileId): Status {
  return {
    profile,
    phase: 'off',
    degraded: false,
    unverified: false,
    blocking: false,
    outdated: false,
    words: 'Off',
    sentence: '',
    since: 0,
    attempt: 0,
    nextRetry: null,
    failure: null,
    conflicts: [],
    roundTrip: null,
  };
}
