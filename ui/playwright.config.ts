import { existsSync } from 'node:fs';

import { defineConfig } from '@playwright/test';

const PORT = 4179;

// The system's browser where there is one; else the one that `npx playwright install chromium` has brought.
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const browser = process.env.CHROMIUM ?? BROWSERS.find((path) => existsSync(path));
// Chromium's own sandbox refuses to start as root.
const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

export default defineConfig({
  testDir: 'tests/browser',
  outputDir: 'test-results/run',
  reporter: 'list',
  // One at a time: a test that measures frames must not race with others for the processor.
  workers: 1,
  timeout: 15_000,
  use: {
    baseURL: `http://127.0.0.1:${PORT}`,
    launchOptions: browser ? { executablePath: browser, args } : { args },
  },
  webServer: {
    command: `npx vite build --mode mock && npx vite preview --mode mock --host 127.0.0.1 --port ${PORT} --strictPort`,
    url: `http://127.0.0.1:${PORT}`,
    reuseExistingServer: false,
  },
});
