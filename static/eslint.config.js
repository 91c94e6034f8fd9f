import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import compat from 'eslint-plugin-compat'
import esx from 'eslint-plugin-es-x'
import vue from 'eslint-plugin-vue'
import a11y from 'eslint-plugin-vuejs-accessibility'
import globals from 'globals'
import ts from 'typescript-eslint'

export default ts.config(
  { ignores: ['dist/', 'node_modules/'] },
  js.configs.recommended,
  ...ts.configs.recommended,
  ...vue.configs['flat/recommended'],
  ...a11y.configs['flat/recommended'],
  {
    files: ['src/**/*.{ts,vue}'],
    ...compat.configs['flat/recommended'],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { parser: ts.parser, sourceType: 'module' },
    },
    // Syntax is lowered by the build; these are library calls, which are not.
    plugins: { ...compat.configs['flat/recommended'].plugins, 'es-x': esx },
    rules: {
      ...compat.configs['flat/recommended'].rules,
      // `es-x` would take every field named `at`, a time, for the method.
      'no-restricted-syntax': [
        'error',
        {
          selector: 'CallExpression[callee.property.name="at"]',
          message: 'The method at() came with Chrome 92; count from the length.',
        },
      ],
      'es-x/no-string-prototype-replaceall': 'error',
      'es-x/no-object-hasown': 'error',
      'es-x/no-array-prototype-findlast-findlastindex': 'error',
      'es-x/no-array-prototype-toreversed': 'error',
      'es-x/no-array-prototype-tosorted': 'error',
      'es-x/no-array-prototype-with': 'error',
      'es-x/no-object-groupby': 'error',
      'es-x/no-promise-any': 'error',
      'es-x/no-promise-withresolvers': 'error',
      'es-x/no-weakrefs': 'error',
      'es-x/no-error-cause': 'error',
      'es-x/no-regexp-lookbehind-assertions': 'error',
      'es-x/no-intl-listformat': 'error',
      'es-x/no-intl-segmenter': 'error',
    },
    settings: {
      browsers: ['chrome 80', 'firefox 78', 'safari 14', 'ios_saf 14'],
      'es-x': { aggressive: true },
    },
  },
  {
    files: ['**/*.vue'],
    rules: {
      // The content security policy forbids style attributes and generated markup alike.
      'vue/no-static-inline-styles': 'error',
      'vue/no-v-html': 'error',
      'vue/multi-word-component-names': 'off',
      'vuejs-accessibility/label-has-for': ['error', { required: { some: ['nesting', 'id'] } }],
    },
  },
  { files: ['*.{js,ts}', 'tools/**'], languageOptions: { globals: globals.node } },
  prettier,
)
