// The connection table of one profile: filter, order, selection, and the order held still under the pointer.

import type { ConnectionRow, ProfileId } from './bindings';
import type { LiveConnections } from './live.svelte';
import { firstOrder, isKind, matches, sorted, wordsOf, type Column, type Order, type Which } from './rows';

export class ConnectionTable {
  filter = $state('');
  which = $state<Which>('active');
  order = $state.raw<Order>({ column: 'down', descending: true });
  selected = $state<number | null>(null);
  /** The ids in the order in which they stood when the pointer came in. */
  #held = $state.raw<number[] | null>(null);

  readonly #live: LiveConnections;
  readonly #profile: () => ProfileId;

  constructor(live: LiveConnections, profile: () => ProfileId) {
    this.#live = live;
    this.#profile = profile;
  }

  readonly #mine = $derived.by(() => this.#live.of(this.#profile()));
  readonly active = $derived.by(() => this.#mine.filter((row) => isKind(row, 'active')).length);
  readonly closed = $derived(this.#mine.length - this.active);
  readonly rows = $derived.by(() => (this.#held ? this.#inHeldOrder(this.#held) : this.#inOrder()));
  readonly selectedRow = $derived(this.rows.find((row) => row.id === this.selected));

  sortBy(column: Column): void {
    const same = this.order.column === column;
    this.order = same ? { column, descending: !this.order.descending } : firstOrder(column);
    this.release();
  }

  show(which: Which): void {
    this.which = which;
    this.selected = null;
    this.release();
  }

  search(filter: string): void {
    this.filter = filter;
    this.release();
  }

  /** Keeps rows where they are, so that none slips away under a click. */
  hold(): void {
    this.#held ??= this.rows.map((row) => row.id);
  }

  release(): void {
    this.#held = null;
  }

  /** Moves the selection by so many rows, and says where it is then. */
  move(by: number): number {
    const from = this.rows.findIndex((row) => row.id === this.selected);
    const to = Math.min(Math.max(from < 0 && by < 0 ? 0 : from + by, 0), this.rows.length - 1);
    this.selected = this.rows[to]?.id ?? null;
    return to;
  }

  #inOrder(): ConnectionRow[] {
    return sorted(this.#wanted(), this.order, Date.now());
  }

  /** Held rows stay even when they close meanwhile; new ones come after them. */
  #inHeldOrder(held: number[]): ConnectionRow[] {
    const mine = new Map(this.#mine.map((row) => [row.id, row]));
    const still = held.flatMap((id) => mine.get(id) ?? []);
    const known = new Set(held);
    return [...still, ...this.#wanted().filter((row) => !known.has(row.id))];
  }

  #wanted(): ConnectionRow[] {
    const words = wordsOf(this.filter);
    return this.#mine.filter((row) => isKind(row, this.which) && matches(row, words));
  }
}
