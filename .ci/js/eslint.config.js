// The linter's rules: ESLint's recommended ones, and what keeps modules importable and readable.

import js from "@eslint/js";
import globals from "globals";

const rules = {
  "consistent-return": "error",
  "default-case-last": "error",
  eqeqeq: ["error", "always", { null: "ignore" }],
  "no-else-return": "error",
  "no-implicit-coercion": "error",
  "no-shadow-restricted-names": "error",
  "no-unneeded-ternary": "error",
  "no-unused-vars": ["error", { args: "after-used" }],
  "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
  "no-useless-concat": "error",
  "no-useless-return": "error",
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-const": ["error", { destructuring: "all" }],
  "prefer-template": "error",
  yoda: "error",
};

// An argument for each number of a large map is more than the stack holds.
const spread = { selector: "CallExpression[callee.object.name='Math'] > SpreadElement", message: "arrays.js has maximum and minimum." };

export default [
  js.configs.recommended,
  { languageOptions: { ecmaVersion: 2024, sourceType: "module" }, linterOptions: { reportUnusedDisableDirectives: "error" }, rules },
  { files: ["cnnviz/**"], languageOptions: { globals: globals.browser }, rules: { "no-restricted-syntax": ["error", spread] } },
  { files: ["tests/**"], languageOptions: { globals: globals.nodeBuiltin } },
];
