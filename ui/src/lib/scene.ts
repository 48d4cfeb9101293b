// How a state looks as a picture of the rope and the cabin.

import type { Status } from './bindings';
import { phaseOf } from './status';

export interface Scene {
  rope: 'taut' | 'slack' | 'dotted';
  cabin: 'none' | 'near' | 'between' | 'far';
  /** Held traffic is an empty outline, carried traffic is solid. */
  hollow: boolean;
  /** A barrier before the cabin: traffic is kept from leaving another way. */
  gate: boolean;
  /** A cross where the other station was. */
  cut: boolean;
}

const REST: Scene = { rope: 'taut', cabin: 'near', hollow: true, gate: false, cut: false };

export function sceneOf(status: Status): Scene {
  const held = { ...REST, gate: status.blocking };
  switch (phaseOf(status)) {
    case 'off':
      return { ...held, rope: 'slack', cabin: 'none' };
    case 'connecting':
      return { ...held, cabin: 'between', hollow: true };
    case 'connected':
      return {
        ...held,
        rope: status.unverified ? 'dotted' : 'taut',
        cabin: 'far',
        hollow: status.unverified,
      };
    case 'reconnecting':
      return { ...held, rope: 'dotted' };
    case 'error':
      return { ...held, hollow: false, cut: true };
    case 'waiting':
    case 'paused':
    case 'needs-you':
    case 'set-up':
      return held;
  }
}
