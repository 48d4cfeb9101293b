import { defineConfig } from '@playwright/test';

const PORT = 4179;

export default defineConfig({
  testDir: 'tests/browser',
  outputDir: 'test-results/run',
  // The screens are compared by eye and by measures, not by pixels: fonts differ from machine to machine.
  reporter: 'list',
  workers: 1,
  timeout: 15_000,
  use: {
    baseURL: `http://127.0.0.1:${PORT}`,
    launchOptions: { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] },
  },
  webServer: {
    command: `npx vite build --mode mock && npx vite preview --mode mock --host 127.0.0.1 --port ${PORT} --strictPort`,
    url: `http://127.0.0.1:${PORT}`,
    reuseExistingServer: false,
  },
});
