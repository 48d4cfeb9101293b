// The whole window on an engine that pretends, and the few ways to touch it.

import { fireEvent, render, screen, waitFor, within } from '@testing-library/svelte';

import Window from '../../src/components/Window.svelte';
import type { ProfileId } from '../../src/lib/bindings';
import { MockEngine } from '../../src/mock/engine';
import { sceneNamed } from '../../src/mock/scenes';
import { statusOf, type MockState } from '../../src/mock/states';

export const byId = (id: string): HTMLElement => screen.getByTestId(id);
export const maybe = (id: string): HTMLElement | null => screen.queryByTestId(id);
export const text = (id: string): string => byId(id).textContent?.trim() ?? '';

export async function open(scene: string): Promise<MockEngine> {
  const engine = new MockEngine(sceneNamed(scene));
  render(Window, { backend: engine });
  await waitFor(() => profileRow('this-computer'));
  return engine;
}

export function profileRow(id: ProfileId): HTMLElement {
  const row = screen.getAllByTestId('profile-row').find((row) => row.dataset.profile === id);
  if (!row) throw new Error(`no row of ${id}`);
  return row;
}

export async function choose(id: ProfileId): Promise<void> {
  await fireEvent.click(profileRow(id));
}

/** Brings a profile into a state, as the engine would. */
export function become(engine: MockEngine, id: ProfileId, state: MockState): void {
  const profile = engine.profiles.find((profile) => profile.id === id);
  if (profile) engine.say({ type: 'status', status: statusOf(profile, state) });
}

export async function fill(id: string, value: string): Promise<void> {
  await fireEvent.input(byId(id), { target: { value } });
}

export async function press(key: string, on: Element = document.body): Promise<void> {
  await fireEvent.keyDown(on, { key });
}

export async function shortcut(key: string): Promise<void> {
  await fireEvent.keyDown(document.body, { key, ctrlKey: true });
}

/** The chips of a list field, as they read. */
export function chips(field: string): string[] {
  const box = byId(field).parentElement as HTMLElement;
  return within(box)
    .queryAllByTestId('chip')
    .map((chip) => chip.dataset.entry ?? '');
}
