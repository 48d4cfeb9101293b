// Time for what is on the screen: ticks once a second while something shows it and the window can be seen.

import { createSubscriber } from 'svelte/reactivity';
import { on } from 'svelte/events';

const TICK = 1000;

class Clock {
  readonly #watch = createSubscriber((update) => {
    const timer = setInterval(() => document.hidden || update(), TICK);
    const off = on(document, 'visibilitychange', update);
    return () => {
      clearInterval(timer);
      off();
    };
  });

  /** Milliseconds since 1970. */
  get now(): number {
    this.#watch();
    return Date.now();
  }
}

class Visibility {
  readonly #watch = createSubscriber((update) => on(document, 'visibilitychange', update));

  /** Whether anybody can see the window. */
  get shown(): boolean {
    this.#watch();
    return !document.hidden;
  }
}

export const clock = new Clock();
export const visibility = new Visibility();
