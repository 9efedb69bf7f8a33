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
  {
    files: ['test/**/*.ts'],
    rules: {
      // tap's match looks only at what the pattern names, and an empty array names nothing: it matches any array.
      'no-restricted-syntax': ['error', ...['ArrayExpression:nth-child(2)', ':matches(ArrayExpression, ObjectExpression):nth-child(2) ArrayExpression'].map((pattern) => ({
        selector: `CallExpression[callee.property.name='match'] > ${pattern}[elements.length=0]`,
        message: 'An empty array matches every array: write { length: 0 }, or t.strictSame(x, []).',
      }))],
    },
  },
]
