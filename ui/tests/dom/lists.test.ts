import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { expect, test } from 'vitest';

import { delta, row, totals } from '../rows';
import { byId, choose, open, text } from './open';

test('an empty window says what to do next', async () => {
  await open('empty');
  expect(text('empty')).toContain('No profiles yet');
  expect(byId('empty-add')).toBeTruthy();
  expect(byId('empty-import')).toBeTruthy();
});

test('a file that cannot be read is listed with its failure and the raw line', async () => {
  await open('broken');
  await fireEvent.click(byId('broken-row'));
  expect(text('failure-title')).toBe('old-office.toml cannot be read');
  expect(text('failure-code')).toBe('E-PROFILE-FILE');
  expect(byId('details').textContent).toContain('TOML parse error at line 4');
  expect(byId('broken').textContent).toContain('/home/me/.config/ropeway/profiles/old-office.toml');
});

test('a row has its exact bytes, and every cell its name', async () => {
  const engine = await open('empty');
  await choose('this-computer');
  await fireEvent.click(byId('tab-connections'));
  await waitFor(() => expect(engine.watchers).toBe(1));
  const connection = row({
    id: 12,
    profile: 'this-computer',
    host: 'web.private.example',
    port: 8080,
    down: 209_715_200,
    up: 1234,
    downRate: 2_400_000,
    state: 'open',
    opened: Date.now() - 65_000,
  });
  engine.say({
    type: 'connections',
    delta: delta({ changed: [connection], totals: [totals({ profile: 'this-computer' })] }),
  });

  const found = await screen.findByTestId('connection-row');
  expect(found.dataset).toMatchObject({ down: '209715200', up: '1234', state: 'open' });
  const cells = [...found.querySelectorAll<HTMLElement>('[data-col]')].map((cell) => [
    cell.dataset.col,
    cell.textContent?.replace(/\s+/g, ' ').trim(),
  ]);
  expect(Object.fromEntries(cells)).toEqual({
    app: 'Ccurl',
    host: 'web.private.example',
    address: '10.0.0.1:8080',
    rule: '10/8',
    down: '2.4 MB',
    up: '0',
    total: '210 MB',
    age: '1 m',
    result: 'Open',
  });
});

test('a chosen connection can be closed', async () => {
  const engine = await open('empty');
  await choose('this-computer');
  await fireEvent.click(byId('tab-connections'));
  await waitFor(() => expect(engine.watchers).toBe(1));
  engine.say({ type: 'connections', delta: delta({ changed: [row({ id: 12, profile: 'this-computer' })] }) });
  await fireEvent.click(await screen.findByTestId('connection-row'));
  await fireEvent.click(byId('close-connection'));
  expect(engine.asked).toContainEqual({ type: 'closeConnection', connection: 12 });
});

test('an empty table says why it is empty', async () => {
  await open('empty');
  await choose('this-computer');
  await fireEvent.click(byId('tab-connections'));
  expect(text('no-connections')).toContain('while the profile is connected');
  await fireEvent.input(byId('filter'), { target: { value: 'zebra' } });
  expect(text('no-connections')).toContain('No active connection matches “zebra”');
});
