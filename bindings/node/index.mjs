// wasmrt for Node, as an ECMAScript module.
export * from './index.js';
