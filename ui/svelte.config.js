import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** @type {import('@sveltejs/vite-plugin-svelte').SvelteConfig} */
export default {
    preprocess: vitePreprocess(),
    compilerOptions: {
        runes: true,
        // In narrow windows the table is laid out as a grid, which takes the roles of its parts away: they are said outright.
        warningFilter: (warning) => warning.code !== 'a11y_no_redundant_roles',
    },
};
