// The engine inside the app, over Tauri's IPC. Events come through a channel: ordered, and only while wanted.

import { Channel, invoke } from '@tauri-apps/api/core';

import { EngineError, failureOf, type Backend, type Wish } from './backend';
import type { Command, Event, Interest, Reply } from './bindings';

export const tauriBackend: Backend = {
  async command(command: Command) {
    try {
      return await invoke<Reply>('command', { command });
    } catch (error) {
      throw new EngineError(failureOf(error));
    }
  },

  async subscribe(interest: Interest, hear: (event: Event) => void) {
    const channel = new Channel<Event>(hear);
    const subscription = await invoke<number>('subscribe', { interest, channel });
    return () => void invoke('unsubscribe', { subscription });
  },

  async attend(hear: (wish: Wish) => void) {
    await invoke('attend', { channel: new Channel<Wish>(hear) });
  },
};
