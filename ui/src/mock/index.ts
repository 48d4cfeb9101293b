import type { Backend } from '../lib/backend';
export function openMock(): Backend { return { command: () => Promise.resolve({ type: 'done' }), subscribe: () => Promise.resolve(() => undefined) }; }
