// Which system the window is on, for the few words and keys that differ.

export const isMac = /Mac/.test(navigator.platform);
