// An import before it happens: the text, what the engine makes of it, and what the user still has to agree to.

import { failureOf, type Backend } from './backend';
import type { Failure, ImportPreview, ImportedProfile, Note, NoteKind, ProfileId } from './bindings';

const PAUSE = 150;
// A profile is a few hundred bytes; what is bigger than this is not one, and would only stall the window.
export const LARGEST_FILE = 1_000_000;

export class Importer {
  text = $state('');
  /** Where the text came from, for the title. */
  origin = $state('');
  preview = $state.raw<ImportPreview | null>(null);
  failure = $state.raw<Failure | null>(null);
  /** The user has read what is dangerous in it. */
  accepted = $state(false);
  importing = $state(false);

  readonly #backend: Backend;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  readonly #profiles = $derived(this.preview?.profiles ?? []);
  readonly sound = $derived(this.#profiles.filter(isSound));
  readonly dangerous = $derived(this.sound.some((found) => notesOf(found, 'danger').length > 0));
  readonly ready = $derived(this.sound.length > 0 && (this.accepted || !this.dangerous) && !this.importing);

  /** Text that is being typed: looked at after a pause. */
  type(text: string): void {
    this.#set(text, '');
    this.#timer = setTimeout(() => void this.#look(), PAUSE);
  }

  /** Text that came at once, from the clipboard or a file. */
  take(text: string, origin: string): Promise<void> {
    this.#set(text, origin);
    return this.#look();
  }

  async takeFile(file: File): Promise<void> {
    if (file.size > LARGEST_FILE) {
      this.#set('', file.name);
      this.failure = tooLarge(file);
      return;
    }
    await this.take(await file.text(), file.name);
  }

  /** The ids of the new profiles, or null when it failed and the sheet says why. */
  async run(): Promise<ProfileId[] | null> {
    this.importing = true;
    try {
      const reply = await this.#backend.command({ type: 'import', text: this.text });
      return reply.type === 'imported' ? reply.profiles : [];
    } catch (error) {
      this.failure = failureOf(error);
      return null;
    } finally {
      this.importing = false;
    }
  }

  #set(text: string, origin: string): void {
    clearTimeout(this.#timer);
    this.#asked += 1;
    this.text = text;
    this.origin = origin;
    this.preview = null;
    this.failure = null;
    this.accepted = false;
  }

  async #look(): Promise<void> {
    if (!this.text.trim()) return;
    const asked = this.#asked;
    try {
      const reply = await this.#backend.command({ type: 'previewImport', text: this.text });
      if (asked === this.#asked && reply.type === 'preview') this.preview = reply.preview;
    } catch (error) {
      if (asked === this.#asked) this.failure = failureOf(error);
    }
  }
}

export function isSound(found: ImportedProfile): boolean {
  return found.checked.problems.length === 0;
}

export function notesOf(found: ImportedProfile, kind: NoteKind): Note[] {
  return found.notes.filter((note) => note.kind === kind);
}

function tooLarge(file: File): Failure {
  return {
    code: 'E-IMPORT',
    subject: file.name,
    title: `${file.name} is too large to be a profile`,
    cause: 'Choose a Ropeway profile or a file with an sshuttle command line.',
    detail: `${file.size} bytes`,
  };
}
