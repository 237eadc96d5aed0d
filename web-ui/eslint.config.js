import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['dist/', 'node_modules/'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser } } },
  { files: ['*.js', '*.ts', 'test/**'], languageOptions: { globals: { ...globals.node } } },
  { files: ['**/*.svelte', '**/*.svelte.ts'], languageOptions: { parserOptions: { parser: ts.parser } } },
  {
    rules: {
      'max-len': ['error', { code: 120, ignoreStrings: true, ignoreTemplateLiterals: true }],
      'no-console': 'error',
      eqeqeq: 'error',
      // TypeScript knows the names; the rule does not know its types.
      'no-undef': 'off',
      // The content security policy refuses both; so does the linter, earlier.
      'svelte/no-inline-styles': 'error',
      // Short-lived values inside a function, never shown: the reactive kinds would be waste.
      'svelte/prefer-svelte-reactivity': 'off',
      'svelte/no-at-html-tags': 'error',
      // Links go through our own router, there is no SvelteKit here.
      'svelte/no-navigation-without-resolve': 'off',
    },
  },
);
