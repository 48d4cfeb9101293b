import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Draft } from '../../src/lib/draft.svelte';
import { MockEngine } from '../../src/mock/engine';
import { sceneNamed } from '../../src/mock/scenes';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const said = (draft: Draft): string[] => draft.problems.map(({ field, message }) => `${field}: ${message}`);
const pause = (): Promise<unknown> => vi.advanceTimersByTimeAsync(1000);

/** A new profile whose first check has answered that it has no name. */
async function blank(): Promise<{ draft: Draft; engine: MockEngine }> {
  const engine = new MockEngine(sceneNamed('empty'));
  const draft = new Draft(engine);
  await pause();
  expect(draft.checked.problems.map(({ field }) => field)).toContain('name');
  return { draft, engine };
}

/** Holds answers back until they are let go, in the order of the questions. */
function slow(engine: MockEngine): (() => void)[] {
  const answers: (() => void)[] = [];
  const ask = engine.command.bind(engine);
  engine.command = (command) => {
    const reply = ask(command);
    return new Promise((resolve) => answers.push(() => resolve(reply)));
  };
  return answers;
}

test('an answer about the text before says nothing about the text that is there', async () => {
  const { draft } = await blank();
  draft.setText('name', 'O');
  expect(said(draft)).toEqual([]);
  await pause();
  expect(said(draft)).toEqual([]);
});

test('an answer that arrives after the text has changed is of no use', async () => {
  const { draft, engine } = await blank();
  const answers = slow(engine);
  draft.touch('name');
  await pause();
  draft.setText('name', 'O');
  expect(answers).toHaveLength(1);
  answers[0]?.();
  await vi.advanceTimersByTimeAsync(0);
  expect(said(draft)).toEqual([]);
});

test('what is wrong is said when the check of it has answered', async () => {
  const { draft } = await blank();
  draft.touch('name');
  expect(said(draft)).toEqual([]);
  await pause();
  expect(said(draft)).toEqual([expect.stringContaining('name: ')]);
});

test('a check that fails hides nothing for good', async () => {
  const { draft, engine } = await blank();
  const ask = engine.command.bind(engine);
  engine.command = () => Promise.reject(new Error('busy'));
  draft.touch('name');
  await pause();
  expect(said(draft)).toEqual([]);
  engine.command = ask;
  draft.setText('server', 'host');
  await pause();
  expect(said(draft)).toEqual([expect.stringContaining('name: ')]);
});
