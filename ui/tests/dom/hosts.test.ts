import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { expect, test, vi } from 'vitest';

import type { HostRow } from '../../src/lib/bindings';
import { become, byId, choose, maybe, open, text } from './open';

function host(fields: Partial<HostRow> = {}): HostRow {
  return {
    id: 1,
    profile: 'this-computer',
    name: 'db.work',
    found: 'db.corp.example',
    address: '10.20.4.12',
    source: 'reverse-dns',
    seen: Date.now() - 65_000,
    state: 'in-force',
    ...fields,
  };
}

test('a name has its address, its source, when it was seen and what became of it', async () => {
  const engine = await open('empty');
  await choose('this-computer');
  await fireEvent.click(byId('tab-hosts'));
  await waitFor(() => expect(engine.hostWatchers).toBe(1));
  engine.say({ type: 'hosts', delta: { snapshot: false, changed: [host()], gone: [] } });

  const found = await screen.findByTestId('host-row');
  const cells = [...found.querySelectorAll<HTMLElement>('[data-col]')].map((cell) => [
    cell.dataset.col,
    cell.textContent?.trim(),
  ]);
  expect(Object.fromEntries(cells)).toEqual({
    name: 'db.work',
    address: '10.20.4.12',
    source: 'Name servers',
    seen: '1 m',
    state: 'In force',
  });
  engine.say({ type: 'hosts', delta: { snapshot: false, changed: [], gone: [1] } });
  await waitFor(() => expect(maybe('host-row')).toBeNull());
});

test('what is in force comes first, and a name that is not says why', async () => {
  const engine = await open('empty');
  await choose('this-computer');
  await fireEvent.click(byId('tab-hosts'));
  await waitFor(() => expect(engine.hostWatchers).toBe(1));
  const changed = [host({ id: 1, name: 'aa', state: 'outside' }), host({ id: 2, name: 'zz' })];
  engine.say({ type: 'hosts', delta: { snapshot: false, changed, gone: [] } });

  const rows = await screen.findAllByTestId('host-row');
  expect(rows.map((row) => row.dataset.id)).toEqual(['2', '1']);
  expect(rows[1]?.querySelector<HTMLElement>('[data-col="state"]')?.title).toContain('none of the profile');
  expect(text('hosts-in-force')).toBe('1 of 2 in force');
  await fireEvent.input(byId('filter-hosts'), { target: { value: 'zz' } });
  await waitFor(() => expect(screen.getAllByTestId('host-row')).toHaveLength(1));
});

test('a name can be copied, and an address whose name is not in force', async () => {
  const writeText = vi.fn(() => Promise.resolve());
  Object.defineProperty(navigator, 'clipboard', { value: { writeText }, configurable: true });
  const engine = await open('empty');
  await choose('this-computer');
  await fireEvent.click(byId('tab-hosts'));
  await waitFor(() => expect(engine.hostWatchers).toBe(1));
  const changed = [host(), host({ id: 2, name: 'web', address: '192.0.2.80', state: 'outside' })];
  engine.say({ type: 'hosts', delta: { snapshot: false, changed, gone: [] } });
  await screen.findAllByTestId('host-row');
  for (const button of screen.getAllByTestId('copy-host')) await fireEvent.click(button);
  expect(writeText.mock.calls).toEqual([['db.work'], ['192.0.2.80']]);
});

test('nobody listens to names unless they are looked at, and an empty page says why', async () => {
  const engine = await open('empty');
  await choose('this-computer');
  expect(engine.hostWatchers).toBe(0);
  await fireEvent.click(byId('tab-hosts'));
  expect(text('no-hosts')).toContain('looks for no names');
  become(engine, 'this-computer', 'connected');
  await waitFor(() => expect(engine.hostWatchers).toBe(1));
  await fireEvent.click(byId('tab-overview'));
  await waitFor(() => expect(engine.hostWatchers).toBe(0));
});

test('arrow keys go round all pages', async () => {
  await open('empty');
  await choose('this-computer');
  const tabs = byId('tab-overview').parentElement as HTMLElement;
  await fireEvent.keyDown(tabs, { key: 'ArrowLeft' });
  expect(byId('tab-hosts').getAttribute('aria-selected')).toBe('true');
  await fireEvent.keyDown(tabs, { key: 'ArrowLeft' });
  expect(byId('tab-connections').getAttribute('aria-selected')).toBe('true');
  await fireEvent.keyDown(tabs, { key: 'ArrowRight' });
  await fireEvent.keyDown(tabs, { key: 'ArrowRight' });
  expect(byId('tab-overview').getAttribute('aria-selected')).toBe('true');
});
