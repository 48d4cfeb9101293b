// An engine that pretends, for working on the window in a plain browser and for tests. Never in the app: it is imported
// only in development and in the build called "mock".
// `?scene=` chooses what it holds: work (default), empty, many, broken, fresh, rules; `?helper=` what is installed;
// `?answer=` what the administrator says: yes (default), no, never, broken.

import type { Backend } from '../lib/backend';
import { MockEngine } from './engine';
import type { Answer, HelperScene } from './helper';
import { sceneNamed } from './scenes';

export function openMock(): Backend {
  const query = new URLSearchParams(location.search);
  const scene = sceneNamed(query.get('scene') ?? 'work');
  const engine = new MockEngine({ ...scene, helper: (query.get('helper') as HelperScene) ?? scene.helper });
  engine.helper.answer = (query.get('answer') as Answer) ?? 'yes';
  return engine;
}
