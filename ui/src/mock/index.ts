// An engine that pretends, for working on the window in a plain browser and for tests. Never in the app: it is imported
// only in development and in the build called "mock".
// `?scene=` chooses what it holds: work (default), empty, many, broken.

import type { Backend } from '../lib/backend';
import { MockEngine } from './engine';
import { sceneNamed } from './scenes';

export function openMock(): Backend {
  const scene = new URLSearchParams(location.search).get('scene') ?? 'work';
  return new MockEngine(sceneNamed(scene));
}
