import { svelte } from '@sveltejs/vite-plugin-svelte';
import { svelteTesting } from '@testing-library/svelte/vite';
import { defineConfig } from 'vitest/config';

// What `tauri dev` expects to find (devUrl), so that it never moves to another port.
const DEV_PORT = 1420;

export default defineConfig(({ mode }) => ({
  // Relative, because the app serves the folder under a scheme of its own.
  base: './',
  plugins: [svelte(), ...(mode === 'test' ? [svelteTesting()] : [])],
  server: { port: DEV_PORT, strictPort: true },
  // The app's own policy, so that the tests in a browser find what it would forbid.
  preview: {
    headers: { 'Content-Security-Policy': "default-src 'self'; img-src 'self' data:; object-src 'none'" },
  },
  build: {
    outDir: mode === 'mock' ? 'dist-mock' : 'dist',
    // The oldest engine we run in: WebKitGTK 2.40 and Safari 16.4.
    target: 'safari16.4',
    // A data: image would need its own line in the content security policy.
    assetsInlineLimit: 0,
  },
  test: {
    include: ['tests/{unit,dom}/**/*.test.ts'],
    environment: 'happy-dom',
    setupFiles: ['tests/setup.ts'],
    restoreMocks: true,
  },
}));
