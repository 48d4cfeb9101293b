import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { expect, test } from 'vitest';

import { become, byId, choose, maybe, open, press, profileRow, shortcut, text } from './open';

test('the switch connects what is off and ends what is on, and says which', async () => {
  const engine = await open('work');
  await choose('home');
  expect(byId('connect-switch').getAttribute('aria-checked')).toBe('false');

  await fireEvent.click(byId('connect-switch'));
  expect(engine.asked).toContainEqual({ type: 'connect', profile: 'home' });
  await waitFor(() => expect(text('state-words')).toBe('Connecting — signing in'));
  await waitFor(() => expect(text('state-words')).toBe('Connected'), { timeout: 3000 });
  expect(byId('connect-switch').getAttribute('aria-checked')).toBe('true');

  await fireEvent.click(byId('connect-switch'));
  expect(engine.asked).toContainEqual({ type: 'disconnect', profile: 'home' });
  await waitFor(() => expect(text('state-words')).toBe('Off'));
});

test('a failure has title, cause, code and the raw line, and Try again connects', async () => {
  const engine = await open('work');
  await choose('farm');
  expect(text('failure-title')).toBe('work.example.org refused your key');
  expect(text('failure-cause')).toContain('may not know this key');
  expect(text('failure-code')).toBe('E-AUTH-KEY');
  expect(byId('details').textContent).toContain('Permission denied (publickey,password).');

  await fireEvent.click(byId('try-again'));
  expect(engine.asked).toContainEqual({ type: 'connect', profile: 'farm' });
});

test('while it reconnects the state stays the title and the reason stands below it once', async () => {
  const engine = await open('work');
  await choose('work');
  become(engine, 'work', 'reconnecting');
  await waitFor(() => expect(text('state-words')).toBe('Reconnecting (2nd try, in 8 s)'));
  expect(text('failure-title')).toBe('The login to bastion.example.org ended');
  expect(document.body.textContent?.match(/is tried again by itself/g)).toHaveLength(1);
});

test('the window title and the live region follow the state', async () => {
  const engine = await open('work');
  await choose('home');
  await waitFor(() => expect(document.title).toBe('Ropeway — Home: Off'));
  expect(text('announcer')).toBe('');
  become(engine, 'home', 'connected');
  await waitFor(() => expect(document.title).toBe('Ropeway — Home: Connected'));
  expect(text('announcer')).toBe('Home: Connected');
});

test('each state in the side bar has its words and a shape of its own', async () => {
  await open('work');
  const rows = screen.getAllByTestId('profile-row');
  const shapes = rows.map((row) => row.querySelector<HTMLElement>('[data-shape]')?.dataset.shape);
  // "Home" and "This computer" are both off.
  expect(new Set(shapes).size).toBe(rows.length - 1);
  expect(profileRow('farm').textContent).toContain('work.example.org refused your key');
  expect(profileRow('lab').textContent).toContain('Needs your code');
});

test('a second press before the first is answered asks nothing', async () => {
  const engine = await open('work');
  await choose('home');
  byId('connect-switch').click();
  byId('connect-switch').click();
  await waitFor(() => expect(text('state-words')).not.toBe('Off'));
  expect(engine.asked.filter(({ type }) => type === 'connect' || type === 'disconnect')).toHaveLength(1);
});

test('a command that is refused says why, and the reason can be put away', async () => {
  const engine = await open('work');
  await choose('home');
  engine.profiles = [];
  await fireEvent.click(byId('connect-switch'));
  await waitFor(() => expect(text('command-failure')).toContain('E-PROFILE-MISSING'));
  await fireEvent.click(screen.getByRole('button', { name: 'Close' }));
  expect(maybe('command-failure')).toBeNull();
});

test('keys: Space on a row switches it, arrows walk, Ctrl T switches what is shown', async () => {
  const engine = await open('work');
  const home = profileRow('home');
  await press(' ', home);
  expect(engine.asked).toContainEqual({ type: 'connect', profile: 'home' });

  home.focus();
  await press('ArrowDown', home);
  expect(document.activeElement).toBe(profileRow('this-computer'));

  await choose('this-computer');
  await shortcut('t');
  expect(engine.asked).toContainEqual({ type: 'connect', profile: 'this-computer' });
});

test('connections are asked for only while something is up or they are shown', async () => {
  const engine = await open('empty');
  const heard: string[] = [];
  await choose('this-computer');
  const unsubscribe = await engine.subscribe({ connections: false, hosts: false }, (event) =>
    heard.push(event.type),
  );
  expect(heard).not.toContain('connections');
  expect(engine.watchers).toBe(0);
  await fireEvent.click(byId('tab-connections'));
  await waitFor(() => expect(engine.watchers).toBe(1));
  await fireEvent.click(byId('tab-overview'));
  await waitFor(() => expect(engine.watchers).toBe(0));
  become(engine, 'this-computer', 'connected');
  await waitFor(() => expect(engine.watchers).toBe(1));
  unsubscribe();
});

test('a hidden window asks for nothing', async () => {
  const engine = await open('work');
  await waitFor(() => expect(engine.watchers).toBe(1));
  Object.defineProperty(document, 'hidden', { configurable: true, value: true });
  document.dispatchEvent(new Event('visibilitychange'));
  await waitFor(() => expect(engine.watchers).toBe(0));
  Reflect.deleteProperty(document, 'hidden');
});
