import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { expect, test } from 'vitest';

import { Desk } from '../../src/lib/desk.svelte';
import { MockEngine } from '../../src/mock/engine';
import { sceneNamed } from '../../src/mock/scenes';
import { become, byId, choose, maybe, open, text } from './open';

const said = (engine: MockEngine, type: string): unknown[] =>
  engine.asked.filter((command) => command.type === type);

async function openSetUp(profile: string): Promise<void> {
  await choose(profile);
  await fireEvent.click(byId('open-setup'));
}

test('what is not set up has one way out, which explains first, asks once, and then connects', async () => {
  const engine = await open('fresh');
  await choose('work');
  expect(text('failure-code')).toBe('E-HELPER-MISSING');
  expect(maybe('try-again')).toBeNull();

  await fireEvent.click(byId('open-setup'));
  expect(screen.getByRole('dialog', { name: 'One-time set-up' })).toBeTruthy();
  expect(text('setup-facts')).toContain('Removed');
  expect(said(engine, 'setUpHelper')).toEqual([]);

  await fireEvent.click(byId('run-setup'));
  expect(text('waiting')).toContain('Waiting for the administrator’s answer');
  await waitFor(() => expect(maybe('waiting')).toBeNull());
  expect(said(engine, 'setUpHelper')).toEqual([{ type: 'setUpHelper', grant: 'own' }]);
  expect(said(engine, 'connect')).toEqual([{ type: 'connect', profile: 'work' }]);
  expect(maybe('setup-facts')).toBeNull();
  await waitFor(() => expect(text('state-words')).toBe('Connected'), { timeout: 3000 });
});

test('an answer of no says so, connects nothing, and can be asked again', async () => {
  const engine = await open('fresh');
  engine.helper.answer = 'no';
  await openSetUp('work');
  await fireEvent.click(byId('run-setup'));
  await waitFor(() => expect(screen.getByRole('dialog').textContent).toContain('E-DENIED'));
  expect(screen.getByRole('dialog').textContent).toContain('Nothing was changed on this computer.');
  expect(said(engine, 'connect')).toEqual([]);

  engine.helper.answer = 'yes';
  await fireEvent.click(screen.getByRole('button', { name: 'Try again' }));
  await waitFor(() => expect(said(engine, 'connect')).toHaveLength(1));
});

test('whoever stops waiting is not connected by an answer that comes later', async () => {
  const engine = await open('fresh');
  await openSetUp('work');
  await fireEvent.click(byId('run-setup'));
  await fireEvent.click(byId('cancel-setup'));
  expect(maybe('waiting')).toBeNull();
  await waitFor(() => expect(engine.helper.state.setup).toBe('installed'));
  await Promise.resolve();
  expect(said(engine, 'connect')).toEqual([]);
  expect(maybe('command-failure')).toBeNull();
});

test('a profile for everyone’s traffic asks for the whole computer and offers no less', async () => {
  const engine = await open('fresh');
  become(engine, 'staging', 'not-granted');
  await openSetUp('staging');
  expect(maybe('scope-own')).toBeNull();
  expect((byId('scope-all') as HTMLInputElement).checked).toBe(true);
  await fireEvent.click(byId('run-setup'));
  await waitFor(() => expect(said(engine, 'setUpHelper')).toEqual([{ type: 'setUpHelper', grant: 'all' }]));
});

test('a permission that was not enough is widened', async () => {
  const engine = await open('rules');
  expect(engine.helper.state.grant).toBe('own');
  await openSetUp('home');
  expect(screen.getByRole('dialog', { name: 'Allow the whole computer' })).toBeTruthy();
  expect(maybe('scope-own')).toBeNull();
});

test('the tray’s wishes open settings and set-up', async () => {
  const engine = await open('fresh');
  engine.wish({ type: 'settings' });
  await waitFor(() => expect(maybe('settings')).not.toBeNull());
  engine.wish({ type: 'setUp', profile: 'work' });
  await waitFor(() => expect(maybe('setup-facts')).not.toBeNull());
  expect(maybe('settings')).toBeNull();
  engine.wish({ type: 'setUp', profile: 'nobody' });
  expect(maybe('setup-facts')).not.toBeNull();
});

test('a wish from before the list of profiles waits for it', async () => {
  const desk = new Desk(new MockEngine(sceneNamed('fresh')));
  desk.show({ type: 'setUp', profile: 'work' });
  expect(desk.settings.setUp).toBeNull();
  await desk.open();
  expect(desk.settings.setUp?.profile?.id).toBe('work');
});

test('held traffic can be let through, while it is tried and after it was given up', async () => {
  const engine = await open('work');
  await choose('staging');
  expect(text('state-words')).toBe('Reconnecting — traffic to 2 networks is held');
  expect(text('state-sentence')).toContain('disconnect to let it go its usual way');
  await fireEvent.click(byId('let-through'));
  expect(engine.asked).toContainEqual({ type: 'disconnect', profile: 'staging' });
  await waitFor(() => expect(text('state-words')).toBe('Off'));
  expect(maybe('let-through')).toBeNull();

  become(engine, 'staging', 'given-up');
  await waitFor(() => expect(maybe('let-through')).not.toBeNull());
  expect(document.body.textContent).toContain('Disconnecting lets the held traffic through.');
  await fireEvent.click(byId('try-again'));
  expect(engine.asked).toContainEqual({ type: 'connect', profile: 'staging' });
});

test('rules that were put back are a note beside Connected', async () => {
  await open('rules');
  await choose('work');
  expect(text('state-words')).toBe('Connected');
  expect(text('failure-title')).toBe('Another program removed our network rules.');
  expect([maybe('try-again'), maybe('open-setup')]).toEqual([null, null]);
});

test('networks that go elsewhere are marked and say where', async () => {
  await open('rules');
  await choose('staging');
  expect(text('conflicts')).toContain('10.40.0.0/16 goes through Work already.');
  const marked = screen.getAllByTestId('route').map((route) => route.textContent?.includes('elsewhere'));
  expect(marked).toEqual([true, true, false]);
});
