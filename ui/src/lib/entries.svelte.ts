// A list that is typed entry by entry: finished ones are chips, the one at the end is still text.

export class Entries {
  done = $state.raw<string[]>([]);
  typing = $state('');

  constructor(entries: readonly string[]) {
    this.done = [...entries];
  }

  /** What would be saved now: the text being typed counts, so that nobody has to know about Enter. */
  readonly all = $derived(this.typing.trim() ? [...this.done, this.typing.trim()] : this.done);

  /** Text came in, typed or pasted; a space or line break ends an entry. */
  type(text: string): void {
    const parts = text.split(/[\s;]+/);
    this.typing = parts.pop() ?? '';
    this.#add(parts);
  }

  /** Makes a chip of what was typed. */
  finish(): void {
    this.#add([this.typing]);
    this.typing = '';
  }

  remove(index: number): void {
    this.done = this.done.filter((_, at) => at !== index);
  }

  /** Takes the last chip back into the text, to be changed there. */
  reopen(): void {
    this.typing = this.done.at(-1) ?? '';
    this.done = this.done.slice(0, -1);
  }

  /** Puts a suggestion in the place of what was typed. */
  replace(index: number, entry: string): void {
    if (index === this.done.length) {
      this.typing = entry;
      this.finish();
    } else {
      this.done = this.done.map((old, at) => (at === index ? entry : old));
    }
  }

  /** A comma parts ports (`:80,443`), so it only goes where it ends an entry. */
  #add(parts: string[]): void {
    const entries = parts.map((part) => part.replace(/^,+|,+$/g, '')).filter(Boolean);
    if (entries.length > 0) this.done = [...this.done, ...entries];
  }
}
