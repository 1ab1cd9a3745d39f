// wasmrt for Node, as an ECMAScript module.
import wasmrt from './index.js';

export const { AbortError, GuestEndedError, Instance, Memory, Module, Run, Runtime, WasmrtError, defaultRuntime, instantiate, run, start, version } = wasmrt;
