import svelte from 'eslint-plugin-svelte';
import tseslint from 'typescript-eslint';

import svelteConfig from './svelte.config.js';

export default tseslint.config(
    { ignores: ['dist', 'dist-mock', 'test-results', 'src/lib/bindings.ts'] },
    ...tseslint.configs.strict,
    ...svelte.configs.recommended,
    {
        files: ['**/*.svelte', '**/*.svelte.ts'],
        languageOptions: { parserOptions: { parser: tseslint.parser, svelteConfig } },
    },
    {
        rules: {
            eqeqeq: 'error',
            'no-console': 'error',
            '@typescript-eslint/consistent-type-imports': 'error',
            // Plain collections are plain on purpose: thousands of rows are watched by one version number, not one by one.
            'svelte/prefer-svelte-reactivity': 'off',
            // The compiler checks names, and knows the browser's.
            'no-undef': 'off',
        },
    },
);
