import { fireEvent, screen, waitFor, within } from '@testing-library/svelte';
import { expect, test } from 'vitest';

import type { HelperScene } from '../../src/mock/helper';
import { MockHelper } from '../../src/mock/helper';
import type { MockEngine } from '../../src/mock/engine';
import { byId, choose, fill, maybe, open, press, shortcut, text } from './open';

async function settings(scene: HelperScene): Promise<MockEngine> {
  const engine = await open('work');
  engine.helper.state = new MockHelper(scene).state;
  await shortcut(',');
  await waitFor(() => expect(maybe('setup-state')).not.toBeNull());
  await waitFor(() => expect(engine.asked).toContainEqual({ type: 'helper' }));
  return engine;
}

const grant = (name: string): HTMLElement =>
  screen.getAllByTestId('grant').find((row) => row.textContent?.includes(name)) as HTMLElement;

const BUTTONS = ['set-up', 'remove-setup', 'ask-grant', 'allow-all', 'restore', 'restore-all'];
const OFFERED: [HelperScene, string[]][] = [
  ['ready', ['allow-all']],
  ['installed', ['remove-setup', 'allow-all']],
  ['missing', ['set-up']],
  ['not-granted', ['ask-grant']],
  ['old', ['set-up']],
  ['own', []],
  ['leftovers', ['allow-all', 'restore', 'restore-all']],
];

test.each(OFFERED)('%s: only what can be done is offered', async (scene, offered) => {
  await settings(scene);
  await waitFor(() => expect(BUTTONS.filter((id) => maybe(id) !== null)).toEqual(offered));
});

test('the gear and Esc open and close it, and the profile is there as it was', async () => {
  await open('work');
  await choose('home');
  byId('open-settings').focus();
  await fireEvent.click(byId('open-settings'));
  expect(document.activeElement?.textContent).toBe('Settings');
  await press('Escape');
  expect(maybe('settings')).toBeNull();
  await waitFor(() => expect(document.activeElement).toBe(byId('open-settings')));
  expect(text('state-words')).toBe('Off');
});

test('what was typed into a profile survives a look at the settings, and its keys do nothing there', async () => {
  const engine = await open('work');
  await choose('work');
  await shortcut('e');
  await fill('field-name', 'Workshop');
  await shortcut(',');
  await shortcut('n');
  await shortcut('t');
  await press('Escape');
  expect((byId('field-name') as HTMLInputElement).value).toBe('Workshop');
  expect(screen.queryByRole('alertdialog')).toBeNull();
  expect(engine.asked.some(({ type }) => type === 'connect' || type === 'disconnect')).toBe(false);
});

test('who may use it is listed, and a permission is taken away after a question', async () => {
  const engine = await settings('installed');
  expect(grant('dev').textContent).toMatch(/dev\s*you.*Own traffic/s);
  expect(grant('ops').textContent).toContain('Whole computer');
  await fireEvent.click(within(grant('ops')).getByRole('button', { name: 'Revoke the permission of ops' }));
  expect(screen.getByRole('alertdialog').textContent).toContain('ops cannot connect any more');
  await fireEvent.click(byId('confirm'));
  expect(text('waiting')).toContain('Waiting for the administrator’s answer');
  expect((byId('remove-setup') as HTMLButtonElement).disabled).toBe(true);
  await waitFor(() => expect(screen.getAllByTestId('grant')).toHaveLength(1));
  expect(engine.asked).toContainEqual({ type: 'revokeGrant', uid: 1001 });
  await waitFor(() => expect(text('settings-done')).toBe('ops may not use it any more.'));
});

test('removing says what goes, and leaves nothing', async () => {
  const engine = await settings('installed');
  await fireEvent.click(byId('remove-setup'));
  expect(screen.getByRole('alertdialog').textContent).toMatch(/program.*permissions.*network rules/s);
  await fireEvent.click(byId('refuse'));
  expect(engine.asked).not.toContainEqual({ type: 'removeHelper' });
  await fireEvent.click(byId('remove-setup'));
  await fireEvent.click(byId('confirm'));
  await waitFor(() => expect(text('setup-state')).toContain('Not set up yet'));
  expect(maybe('grant')).toBeNull();
});

test('whoever waits can stop, and what was in the way is said', async () => {
  const engine = await settings('installed');
  engine.helper.answer = 'never';
  await fireEvent.click(byId('remove-setup'));
  await fireEvent.click(byId('confirm'));
  await fireEvent.click(byId('stop-waiting'));
  expect(maybe('waiting')).toBeNull();

  engine.helper.answer = 'broken';
  await fireEvent.click(byId('remove-setup'));
  await fireEvent.click(byId('confirm'));
  await waitFor(() => expect(text('failure-code')).toBe('E-HELPER-SETUP'));
  expect(byId('details').textContent).toContain('Read-only file system');
});

test('set-up from here connects nothing', async () => {
  const engine = await settings('missing');
  await fireEvent.click(byId('set-up'));
  await fireEvent.click(byId('scope-all'));
  await fireEvent.click(byId('run-setup'));
  await waitFor(() => expect(text('settings-done')).toBe('Set-up is finished.'));
  expect(engine.asked).toContainEqual({ type: 'setUpHelper', grant: 'all' });
  expect(engine.asked.some(({ type }) => type === 'connect')).toBe(false);
  expect(text('grant')).toContain('Whole computer');
});

test('what a crash left closed is opened from the settings, others’ only by an administrator', async () => {
  const engine = await settings('leftovers');
  await waitFor(() => expect(text('leftovers')).toContain('of 1 profile is still held since a crash'));
  await fireEvent.click(byId('restore'));
  await waitFor(() => expect(maybe('leftovers')).toBeNull());
  expect(engine.asked).toContainEqual({ type: 'restoreNetwork', everybody: false });
  expect(text('settings-done')).toBe('1 profile’s networks are reached again.');
  await fireEvent.click(byId('restore-all'));
  await waitFor(() => expect(maybe('no-leftovers')).not.toBeNull());
  expect(engine.asked).toContainEqual({ type: 'restoreNetwork', everybody: true });
});

test('a note over everything says that traffic is still held, and restores it', async () => {
  const engine = await open('work');
  expect(maybe('leftover-note')).toBeNull();
  engine.helper.state = new MockHelper('leftovers').state;
  engine.say({ type: 'helper', helper: engine.helper.state });
  await waitFor(() => expect(maybe('leftover-note')).not.toBeNull());
  await fireEvent.click(byId('restore-now'));
  await waitFor(() => expect(text('settings-done')).toBe('1 profile’s networks are reached again.'));
  await press('Escape');
  expect(maybe('leftover-note')).toBeNull();
});
