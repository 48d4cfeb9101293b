import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { expect, test } from 'vitest';

import { byId, fill, maybe, open, profileRow, shortcut, text } from './open';

const PLAIN = 'sshuttle -r me@edge.example.net 10.0.0.0/8 -x 10.0.7.0/24';
const RISKY = `sudo sshuttle -r me@edge.example.net 10/8 -e 'ssh -i key' -D`;

test('text is previewed in words and imported only on demand', async () => {
  const engine = await open('empty');
  await fireEvent.click(byId('empty-import'));
  expect((byId('run-import') as HTMLButtonElement).disabled).toBe(true);
  await fill('import-text', PLAIN);
  await waitFor(() => expect(text('import-preview')).toContain('me@edge.example.net'));
  expect(engine.profiles).toHaveLength(1);

  await fireEvent.click(byId('run-import'));
  await waitFor(() => expect(profileRow('edge').getAttribute('aria-current')).toBe('page'));
  expect(engine.profiles[0]).toMatchObject({ subnets: ['10.0.0.0/8'], excludes: ['10.0.7.0/24'] });
  expect(maybe('import-text')).toBeNull();
});

test('what was repaired, left out and is dangerous is said, the danger first, and has to be agreed to', async () => {
  await open('work');
  await shortcut('o');
  await fill('import-text', RISKY);
  await waitFor(() => expect(screen.getAllByTestId('note')).toHaveLength(3));
  const kinds = screen.getAllByTestId('note').map((note) => note.dataset.kind);
  expect(kinds).toEqual(['danger', 'repaired', 'dropped']);
  expect(screen.getAllByTestId('note')[2]?.textContent).toMatch(
    /Left out:\s*sudo,\s*-D\.\s*Ropeway does without/,
  );
  expect((byId('run-import') as HTMLButtonElement).disabled).toBe(true);

  await fireEvent.click(byId('accept-danger'));
  await fireEvent.click(byId('run-import'));
  await waitFor(() => profileRow('edge'));
});

test('agreeing to one text is not agreeing to the next', async () => {
  await open('work');
  await shortcut('o');
  await fill('import-text', RISKY);
  await fireEvent.click(await screen.findByTestId('accept-danger'));
  await fill('import-text', RISKY.replace('key', 'other'));
  const box = (await screen.findByTestId('accept-danger')) as HTMLInputElement;
  await waitFor(() => expect(box.isConnected && box.checked).toBe(false));
});

test('a dropped file is previewed, with marks in its text', async () => {
  await open('work');
  await drop(new File([RISKY], 'tunnel.sh'));
  await waitFor(() => expect(screen.getByRole('dialog').textContent).toContain('Import from tunnel.sh'));
  await waitFor(() => expect(text('import-marked')).toBe(RISKY));
  expect(byId('import-marked').querySelector('.danger')?.textContent).toBe("-e 'ssh -i key'");
});

test('text pasted where nothing takes text is meant to be imported', async () => {
  await open('work');
  const data = new DataTransfer();
  data.setData('text', PLAIN);
  document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
  await waitFor(() => expect(text('import-marked')).toBe(PLAIN));
});

test('what is no profile says so, and nothing can be imported', async () => {
  const engine = await open('empty');
  await shortcut('o');
  await fill('import-text', 'hello');
  await waitFor(() => expect(text('failure-code')).toBe('E-IMPORT'));
  expect((byId('run-import') as HTMLButtonElement).disabled).toBe(true);
  await fireEvent.click(byId('cancel'));
  expect([maybe('import-text'), engine.profiles.length]).toEqual([null, 1]);
});

test('a file that is too large is refused before it is read', async () => {
  const engine = await open('work');
  const large = new File(['x'.repeat(1_000_001)], 'disk.img');
  await drop(large);
  await waitFor(() => expect(text('failure-title')).toBe('disk.img is too large to be a profile'));
  expect(engine.asked.some(({ type }) => type === 'previewImport')).toBe(false);
});

test('an entry with a problem keeps its profile from being imported', async () => {
  await open('work');
  await shortcut('o');
  await fill('import-text', 'sshuttle -r me@host 10.300.0.0/16');
  await waitFor(() => expect(text('import-preview')).toContain('300 is more than 255.'));
  expect((byId('run-import') as HTMLButtonElement).disabled).toBe(true);
});

async function drop(file: File): Promise<void> {
  const event = new Event('drop', { bubbles: true, cancelable: true });
  Object.assign(event, { dataTransfer: { files: [file] } });
  await fireEvent(document.body, event);
}
