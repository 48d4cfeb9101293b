import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { expect, test } from 'vitest';

import { emptyProfile } from '../../src/lib/profile';
import { byId, chips, choose, fill, maybe, open, press, profileRow, shortcut, text } from './open';

test('a new profile begins without reproaches, and is saved and chosen', async () => {
  const engine = await open('empty');
  await fireEvent.click(byId('empty-add'));
  expect(document.activeElement).toBe(byId('field-name'));
  expect(maybe('problem')).toBeNull();

  await fill('field-name', 'Office');
  await fill('field-server', 'me@office.example.org');
  await fill('field-ssh-command', "ssh -F '~/my config'");
  await fill('field-subnets', '10/8 ');
  // Not finished with Enter: it counts all the same.
  await fill('field-subnets', 'fd00::/8');
  await fireEvent.click(byId('save'));

  await waitFor(() => profileRow('office'));
  expect(engine.profiles[0]).toEqual({
    ...emptyProfile(),
    id: 'office',
    name: 'Office',
    server: 'me@office.example.org',
    sshCommand: "ssh -F '~/my config'",
    subnets: ['10/8', 'fd00::/8'],
  });
  expect(profileRow('office').getAttribute('aria-current')).toBe('page');
  expect(maybe('editor')).toBeNull();
});

test('what is wrong is said at its field, and its suggestion is taken by a click', async () => {
  await open('work');
  await choose('work');
  await shortcut('e');
  await fill('field-excludes', '010.1.2.0/24 ');
  await waitFor(() => expect(byId('problem').dataset.field).toBe('excludes'));
  expect(text('problem')).toContain('010.1.2.0/24 can be read two ways.');
  expect(byId('field-excludes').getAttribute('aria-invalid')).toBe('true');
  expect(byId('field-subnets').getAttribute('aria-invalid')).toBe('false');

  await fireEvent.click(byId('suggestion'));
  expect(chips('field-excludes')).toEqual(['10.0.7.0/24', '10.1.2.0/24']);
  await waitFor(() => expect(maybe('problem')).toBeNull());
});

test('a chip shows what was typed and what it means, and the wrong part of it', async () => {
  await open('work');
  await choose('work');
  await shortcut('e');
  await waitFor(() => expect(document.body.textContent).toContain('16,777,216 addresses'));
  await fill('field-subnets', '10.300.0.0/16 ');
  await waitFor(() => expect(document.querySelector('u')?.textContent).toBe('300'));
});

test('Save can be pressed at any time and then says what is left to do', async () => {
  const engine = await open('empty');
  await shortcut('n');
  await fireEvent.click(byId('save'));
  await waitFor(() => expect(screen.getAllByTestId('problem')).toHaveLength(2));
  await waitFor(() => expect(document.activeElement).toBe(byId('field-name')));
  expect(engine.profiles).toHaveLength(1);
  expect(document.body.textContent).toContain('2 fields need you');
});

test('the answer to an older question never covers a newer one', async () => {
  const engine = await open('empty');
  const answers: (() => void)[] = [];
  const asked = engine.command.bind(engine);
  engine.command = (command) =>
    command.type !== 'check'
      ? asked(command)
      : new Promise((resolve) => answers.push(() => resolve(asked(command))));
  await shortcut('n');
  await fill('field-name', 'x');
  await waitFor(() => expect(answers).toHaveLength(2));
  await fill('field-subnets', 'nonsense ');
  await waitFor(() => expect(answers).toHaveLength(3));
  answers[2]?.();
  await waitFor(() => expect(text('problem')).toContain('nonsense'));
  answers[1]?.();
  answers[0]?.();
  await Promise.resolve();
  expect(text('problem')).toContain('nonsense');
});

test('Esc asks before it throws away what was typed, and only then', async () => {
  await open('work');
  await choose('work');
  await shortcut('e');
  await press('Escape');
  expect(maybe('editor')).toBeNull();

  await shortcut('e');
  await fill('field-name', 'Workshop');
  await press('Escape');
  expect(screen.getByRole('alertdialog').textContent).toContain('Workshop is not saved');
  await fireEvent.click(byId('refuse'));
  expect((byId('field-name') as HTMLInputElement).value).toBe('Workshop');
  await press('Escape');
  await fireEvent.click(byId('confirm'));
  expect(maybe('editor')).toBeNull();
});

test('another profile is not opened over what was typed', async () => {
  await open('work');
  await choose('work');
  await shortcut('e');
  await fill('field-name', 'Workshop');
  await choose('home');
  expect(byId('editor')).toBeTruthy();
  await fireEvent.click(byId('confirm'));
  await waitFor(() => expect(profileRow('home').getAttribute('aria-current')).toBe('page'));
});

test('deleting asks, says that the tunnel ends, and removes it', async () => {
  const engine = await open('work');
  await choose('work');
  await shortcut('e');
  await fireEvent.click(byId('delete'));
  expect(screen.getByRole('alertdialog').textContent).toContain('its tunnel is ended first');
  await fireEvent.click(byId('refuse'));
  expect(engine.asked.some(({ type }) => type === 'delete')).toBe(false);

  await fireEvent.click(byId('delete'));
  await fireEvent.click(byId('confirm'));
  expect(engine.asked).toContainEqual({ type: 'delete', profile: 'work' });
  await waitFor(() => expect(document.querySelector('[data-profile="work"]')).toBeNull());
  expect(maybe('editor')).toBeNull();
});

test('of the built-in profile only the networks can be changed', async () => {
  const engine = await open('empty');
  await choose('this-computer');
  await shortcut('e');
  expect([maybe('field-name'), maybe('field-server'), maybe('delete')]).toEqual([null, null, null]);
  await fill('field-subnets', '192.0.2.0/24 ');
  await fireEvent.click(byId('save'));
  await waitFor(() => expect(engine.profiles[0]?.subnets).toEqual(['0/0', '192.0.2.0/24']));
  expect(engine.profiles[0]).toMatchObject({ id: 'this-computer', builtIn: true, name: 'This computer' });
});

test('Backspace in the empty field takes the last chip back', async () => {
  await open('work');
  await choose('work');
  await shortcut('e');
  await press('Backspace', byId('field-excludes'));
  expect(chips('field-excludes')).toEqual([]);
  expect((byId('field-excludes') as HTMLInputElement).value).toBe('10.0.7.0/24');
  await press('Enter', byId('field-excludes'));
  expect(chips('field-excludes')).toEqual(['10.0.7.0/24']);
  expect((byId('field-excludes') as HTMLInputElement).value).toBe('');
});

test('a profile that cannot be saved says why and keeps what was typed', async () => {
  const engine = await open('work');
  await choose('work');
  await shortcut('e');
  await fill('field-name', 'Workshop');
  engine.command = () => Promise.reject(new Error('disk full'));
  await fireEvent.click(byId('save'));
  await waitFor(() => expect(text('command-failure')).toContain('disk full'));
  expect((byId('field-name') as HTMLInputElement).value).toBe('Workshop');
});

async function choosePerson(value: string): Promise<void> {
  await fireEvent.change(byId('field-capture'), { target: { value } });
}

test('whose traffic and what happens while it is down are written as the engine reads them', async () => {
  const engine = await open('work');
  await choose('work');
  await shortcut('e');
  expect((byId('advanced') as HTMLDetailsElement).open).toBe(false);
  await choosePerson('user');
  await waitFor(() => expect(document.activeElement).toBe(byId('field-capture-name')));
  // A name that is still to be typed is not missed yet.
  expect(maybe('problem')).toBeNull();
  await fill('field-capture-name', 'ci');
  await fireEvent.click(screen.getByRole('radio', { name: 'Its networks are held', hidden: true }));
  await fireEvent.click(byId('save'));
  await waitFor(() =>
    expect(engine.profiles[0]).toMatchObject({ id: 'work', capture: 'user:ci', whileDown: 'networks' }),
  );
});

test('what was chosen there is seen when the profile is opened again, and its problem at its field', async () => {
  await open('rules');
  await choose('farm');
  await shortcut('e');
  expect((byId('advanced') as HTMLDetailsElement).open).toBe(true);
  expect((byId('field-capture') as HTMLSelectElement).value).toBe('user');
  expect((byId('field-capture-name') as HTMLInputElement).value).toBe('ci');
  await fill('field-capture-name', 'nobody-here');
  await waitFor(() => expect(byId('problem').dataset.field).toBe('capture'));
  await choosePerson('everyone');
  await waitFor(() => expect(maybe('problem')).toBeNull());
  expect(document.body.textContent).toContain('needs the permission for the whole computer');
});

test('a problem in what is folded away unfolds it when it is saved', async () => {
  await open('work');
  await choose('work');
  await shortcut('e');
  await choosePerson('group');
  await fireEvent.click(byId('save'));
  await waitFor(() => expect((byId('advanced') as HTMLDetailsElement).open).toBe(true));
  await waitFor(() => expect(document.activeElement).toBe(byId('field-capture-name')));
});

async function chooseLatency(value: string): Promise<void> {
  await fireEvent.change(byId('field-latency'), { target: { value } });
}

test('how much may be on its way is a choice, and a number that is checked at its field', async () => {
  const engine = await open('work');
  await choose('work');
  await shortcut('e');
  expect((byId('field-latency') as HTMLSelectElement).value).toBe('adaptive');
  expect(maybe('field-latency-bytes')).toBeNull();
  await chooseLatency('fixed');
  await waitFor(() => expect(document.activeElement).toBe(byId('field-latency-bytes')));
  expect((byId('field-latency-bytes') as HTMLInputElement).value).toBe('32768');
  expect(maybe('problem')).toBeNull();

  // Emptied it is still the choice that was made, and a number is missed.
  await fill('field-latency-bytes', '');
  await waitFor(() => expect(byId('problem').dataset.field).toBe('latency'));
  await fill('field-latency-bytes', '100');
  await waitFor(() => expect(text('problem')).toContain('At least 4096'));
  expect((byId('advanced') as HTMLDetailsElement).open).toBe(true);
  await fireEvent.click(byId('suggestion'));
  expect((byId('field-latency-bytes') as HTMLInputElement).value).toBe('4096');
  await waitFor(() => expect(maybe('problem')).toBeNull());
  await fireEvent.click(byId('save'));
  await waitFor(() => expect(engine.profiles[0]).toMatchObject({ id: 'work', latency: '4096' }));

  await choose('work');
  await shortcut('e');
  expect((byId('advanced') as HTMLDetailsElement).open).toBe(true);
  expect((byId('field-latency') as HTMLSelectElement).value).toBe('fixed');
  await chooseLatency('unlimited');
  await fireEvent.click(byId('save'));
  await waitFor(() => expect(engine.profiles[0]).toMatchObject({ id: 'work', latency: 'unlimited' }));
});

test('names can be answered by the server, for some domains', async () => {
  const engine = await open('work');
  await choose('work');
  await shortcut('e');
  await fireEvent.click(byId('advanced').querySelector('summary') as HTMLElement);
  expect(maybe('field-domains')).toBeNull();
  await fireEvent.change(byId('field-dns'), { target: { value: 'some' } });
  await fill('field-domains', 'corp.example lab.example');
  await fill('field-name-servers', '10.0.0.53@5353');
  await fireEvent.click(byId('field-auto-nets'));
  await fireEvent.click(byId('save'));
  await waitFor(() => expect(maybe('editor')).toBeNull());
  const saved = engine.profiles.find((profile) => profile.id === 'work');
  expect(saved?.names).toEqual({
    ...emptyProfile().names,
    domains: ['corp.example', 'lab.example'],
    nameServers: ['10.0.0.53@5353'],
  });
  expect(saved?.reach.autoNets).toBe(true);
});

test('names near the server are looked for when that is chosen', async () => {
  const engine = await open('work');
  await choose('work');
  await shortcut('e');
  await fireEvent.click(byId('advanced').querySelector('summary') as HTMLElement);
  expect(maybe('field-seed-hosts')).toBeNull();
  await fireEvent.change(byId('field-hosts'), { target: { value: 'these' } });
  await fill('field-seed-hosts', 'db wiki');
  await fill('field-suffix', 'work');
  await fireEvent.click(byId('save'));
  await waitFor(() => expect(maybe('editor')).toBeNull());
  const names = () => engine.profiles.find((profile) => profile.id === 'work')?.names;
  expect(names()).toMatchObject({ autoHosts: false, seedHosts: ['db', 'wiki'], suffix: 'work' });

  await shortcut('e');
  expect((byId('field-hosts') as HTMLSelectElement).value).toBe('these');
  await fireEvent.change(byId('field-hosts'), { target: { value: 'none' } });
  await fireEvent.click(byId('save'));
  await waitFor(() => expect(names()).toMatchObject({ autoHosts: false, seedHosts: [] }));
});

test('another server needs a new connection, which is offered', async () => {
  const engine = await open('work');
  await choose('work');
  expect(maybe('outdated')).toBeNull();
  await shortcut('e');
  await fill('field-server', 'me@elsewhere.example.org');
  await fireEvent.click(byId('save'));
  await waitFor(() => byId('outdated'));
  await fireEvent.click(byId('reconnect'));
  await waitFor(() => expect(maybe('outdated')).toBeNull());
  expect(engine.statuses.get('work')?.phase).toBe('connecting');
});
