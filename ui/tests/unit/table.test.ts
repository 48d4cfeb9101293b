import { expect, test } from 'vitest';

import { LiveConnections } from '../../src/lib/live.svelte';
import { ConnectionTable } from '../../src/lib/table.svelte';
import { delta, row } from '../rows';

function tableOf(...rows: ReturnType<typeof row>[]): {
  live: LiveConnections;
  table: ConnectionTable;
  ids: () => number[];
} {
  const live = new LiveConnections();
  const table = new ConnectionTable(live, () => 'work');
  live.hear(delta({ snapshot: true, changed: rows }), 0);
  return { live, table, ids: () => table.rows.map(({ id }) => id) };
}

test('a change replaces its row, a gone one leaves, others stay', () => {
  const { live, table, ids } = tableOf(row({ id: 1 }), row({ id: 2 }));
  live.hear(delta({ changed: [row({ id: 2, down: 99 }), row({ id: 3 })], gone: [1] }), 0);
  expect(ids()).toEqual([3, 2]);
  expect(table.rows.find(({ id }) => id === 2)?.down).toBe(99);
});

test('a snapshot forgets everything before it', () => {
  const { live, ids } = tableOf(row({ id: 1 }));
  live.hear(delta({ snapshot: true, changed: [row({ id: 7 })] }), 0);
  expect(ids()).toEqual([7]);
});

test('connections of other profiles are not shown', () => {
  const { ids } = tableOf(row({ id: 1 }), row({ id: 2, profile: 'lab' }));
  expect(ids()).toEqual([1]);
});

test('rows keep their place while the pointer is over them, and move when it leaves', () => {
  const { live, table, ids } = tableOf(row({ id: 1, downRate: 9 }), row({ id: 2, downRate: 5 }));
  table.hold();
  live.hear(delta({ changed: [row({ id: 2, downRate: 99 }), row({ id: 3, downRate: 50 })] }), 0);
  expect(ids()).toEqual([1, 2, 3]);
  table.release();
  expect(ids()).toEqual([2, 3, 1]);
});

test('a row that closes under the pointer stays until the pointer leaves', () => {
  const { live, table, ids } = tableOf(row({ id: 1 }), row({ id: 2 }));
  table.hold();
  live.hear(delta({ changed: [row({ id: 2, state: 'closed', closed: 5 })] }), 0);
  expect(ids()).toEqual([2, 1]);
  table.release();
  expect(ids()).toEqual([1]);
});

test('a second click on a column turns the order round', () => {
  const { table, ids } = tableOf(row({ id: 1, app: 'b' }), row({ id: 2, app: 'a' }));
  table.sortBy('app');
  expect(ids()).toEqual([2, 1]);
  table.sortBy('app');
  expect(ids()).toEqual([1, 2]);
});

test('Active and Closed count all, whatever the filter shows', () => {
  const { table, ids } = tableOf(row({ id: 1 }), row({ id: 2, closed: 1 }), row({ id: 3, closed: 1 }));
  table.search('nothing has this');
  expect([table.active, table.closed, ids()]).toEqual([1, 2, []]);
});

test('the keys walk over the rows and stop at both ends', () => {
  const { table } = tableOf(row({ id: 1 }), row({ id: 2 }), row({ id: 3 }));
  const walked = [1, 1, 1, 1, -9].map((by) => (table.move(by), table.selected));
  expect(walked).toEqual([3, 2, 1, 1, 3]);
});

test('an empty table has nothing to walk over', () => {
  const { table } = tableOf();
  table.move(1);
  expect(table.selected).toBeNull();
});

test('the history has one sample a second and forgets after five minutes', () => {
  const live = new LiveConnections();
  const hear = (at: number, down: number): void =>
    live.hear(
      delta({
        totals: [{ profile: 'work', up: 0, down: 0, upRate: 0, downRate: down, active: 0, closed: 0 }],
      }),
      at,
    );
  [0, 200, 999, 1000, 1100].forEach((at) => hear(at, at));
  expect(live.history('work').map(({ at }) => at)).toEqual([0, 1000]);
  hear(300_500, 1);
  expect(live.history('work').map(({ at }) => at)).toEqual([1000, 300_500]);
});
