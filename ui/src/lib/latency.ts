// What is done against latency: the text of `Profile.latency` as a choice and a number of bytes, and back.

export type Way = 'adaptive' | 'fixed' | 'unlimited';

export interface Latency {
  way: Way;
  /** As typed; empty where the choice has no number, or it is still to be typed. */
  bytes: string;
}

/** What sshuttle takes. */
export const USUAL_BYTES = '32768';

export const WAYS: Record<Way, { text: string; hint: string }> = {
  adaptive: {
    text: 'Fast and quick to answer',
    hint: 'Ropeway follows the line: big transfers get nearly all of it, and typing does not have to wait for them.',
  },
  fixed: {
    text: 'A fixed limit…',
    hint: 'Never more bytes on their way than this, whatever the line could carry. Less answers faster, more carries more.',
  },
  unlimited: {
    text: 'No limit',
    hint: 'As much as ssh lets through. While something big is transferred, everything else waits behind it.',
  },
};

export function latencyOf(text: string): Latency {
  if (text === '' || text === 'adaptive') return { way: 'adaptive', bytes: '' };
  if (text === 'unlimited') return { way: 'unlimited', bytes: '' };
  return { way: 'fixed', bytes: text === 'fixed' ? '' : text };
}

export function latencyText({ way, bytes }: Latency): string {
  if (way === 'adaptive') return '';
  // Without a number it is no text that a profile can have, and the engine says so at the field.
  return way === 'unlimited' ? 'unlimited' : bytes || 'fixed';
}
