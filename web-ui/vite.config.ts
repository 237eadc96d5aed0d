// Owns how the pages are bundled. Must never inline a script, a style or an asset: the daemon serves
// them under `default-src 'none'; script-src 'self'; style-src 'self'`, and an inlined one is refused.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const daemon = process.env['POSTROOM_URL'];

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: ['chrome123', 'firefox121', 'safari17.5'],
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    // The polyfill would be a second way to load scripts; every browser of the target preloads itself.
    modulePreload: { polyfill: false },
    sourcemap: false,
    reportCompressedSize: true,
  },
  server: daemon ? { proxy: { '/api': { target: daemon, secure: false, changeOrigin: true } } } : {},
  test: { include: ['test/**/*.test.ts'], environment: 'node' },
});
