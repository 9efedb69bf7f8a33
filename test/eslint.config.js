// Lint rules: neostandard for style, plus the few the house style names.
import neostandard from 'neostandard'

export default [
  { ignores: ['src/generated/**', 'dist/**', '.tap/**', 'uploads/**', 'node_modules/**'] },
  ...neostandard({ ts: true }),
  {
    files: ['**/*.ts'],
    rules: {
      // Literals that read like the rows of a table stay rows.
      '@stylistic/object-property-newline': 'off',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
    },
  },
]
