// The one way from the window to the engine. Everything else in the window sees this interface and the
// engine's types, never Tauri, so that tests and a plain browser can put another engine behind it.

import type { Command, Event, Failure, Interest, ProfileId, Reply } from './bindings';

export type Unsubscribe = () => void;

/** What a click outside of the window, in the tray's menu, wants to see in it. */
export type Wish = { type: 'settings' } | { type: 'setUp'; profile: ProfileId };

export interface Backend {
  /** Answers with a reply, or throws an `EngineError`. */
  command(command: Command): Promise<Reply>;
  /** Hears the present state first, then every change, until the returned function is called. */
  subscribe(interest: Interest, hear: (event: Event) => void): Promise<Unsubscribe>;
  /** Hears wishes for as long as the window lives; one that came before it did is heard first. */
  attend(hear: (wish: Wish) => void): Promise<void>;
}

/** A failure that the engine named; carries its words to whoever shows it. */
export class EngineError extends Error {
  constructor(readonly failure: Failure) {
    super(failure.title);
    this.name = 'EngineError';
  }
}

/** Whatever was thrown, as something that can be shown. */
export function failureOf(error: unknown): Failure {
  if (error instanceof EngineError) return error.failure;
  if (isFailure(error)) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return {
    code: 'E-INTERNAL',
    subject: '',
    title: 'Ropeway could not do that',
    cause: 'The window and the engine did not understand each other. This is ours to fix.',
    detail,
  };
}

function isFailure(value: unknown): value is Failure {
  return (
    typeof value === 'object' && value !== null && 'code' in value && 'title' in value && 'cause' in value
  );
}

/** The engine of the app around us; in a plain browser under development, one that pretends. */
export async function openBackend(): Promise<Backend> {
  if ('__TAURI_INTERNALS__' in globalThis) return (await import('./tauri')).tauriBackend;
  if (import.meta.env.DEV || import.meta.env.MODE === 'mock') return (await import('../mock')).openMock();
  throw new Error('This page is the window of the Ropeway app and does nothing outside of it.');
}
