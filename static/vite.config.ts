import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { shortTexts, withoutNames } from './tools/slim.ts'

// The oldest browsers kiwix-serve still promises to support; the dashboard promises the same.
const OLDEST_BROWSERS = ['chrome80', 'firefox78', 'safari14']

export default defineConfig({
  plugins: [shortTexts(), vue(), withoutNames()],
  // Absolute: the page is also served at /usage/2026-W24, where a relative address would miss.
  base: '/',
  define: {
    __VUE_OPTIONS_API__: 'false',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
  },
  build: {
    target: OLDEST_BROWSERS,
    cssTarget: OLDEST_BROWSERS,
    modulePreload: false,
    // A data: address would be one more kind of source for the content security policy to allow.
    assetsInlineLimit: 0,
    sourcemap: false,
    // Both languages and code are needed for the first paint; fewer files, fewer round trips.
    cssCodeSplit: false,
    // What the page begins with is one file: in two, the second would be asked for after the first.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'page', tags: ['$initial'] },
            // What lists packages and their hours: together they are smaller, and fewer round trips.
            {
              name: 'packages',
              test: /src.(views.(Package|When|NeverUsed)|charts.[hH]eat|answers|packages\.ts)/,
            },
            { name: 'status', test: /src.views.(Status|About)/ },
          ],
        },
        // Both parts of a catalogue would have the same name.
        chunkFileNames: ({ moduleIds }) =>
          `assets/${moduleIds.some((id) => id.endsWith('?later')) ? 'later-' : ''}[name]-[hash].js`,
      },
    },
  },
  server: { proxy: { '/api': process.env.API ?? 'http://127.0.0.1:8000' } },
  // One window for all files of tests: making one for each took most of the time.
  test: { environment: 'happy-dom', include: ['src/**/*.test.ts'], isolate: false },
})
