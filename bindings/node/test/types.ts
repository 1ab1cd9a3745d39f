// What the types allow and refuse. It is compiled, not run.
import { AbortError, GuestEndedError, Instance, Module, Run, Runtime, WasmrtError, defaultRuntime, instantiate, run, start } from 'wasmrt';
import type { ErrorCode, ExitStatus, Limits, Outcome, Usage } from 'wasmrt';
import { Readable, Writable } from 'node:stream';

export async function uses(module: Module, signal: AbortSignal): Promise<void> {
  const outcome: Outcome = await run(module, {
    engine: 'wasmtime',
    args: ['a'],
    env: { A: 'b' },
    inheritEnv: ['TZ'],
    preopens: ['a:b:ro', { host: 'a', guest: 'b', access: 'rw' }],
    stdin: Readable.from(['x']),
    stdout: new Writable(),
    stderr: { capture: '1Mi' },
    network: { allow: ['connect=example.com:443'] },
    clock: new Date(0),
    random: { seed: 1n },
    limits: { memoryBytes: '64Mi', wallTime: { ms: 5 }, fuel: 10n ** 9n, cpuTime: 'unlimited' },
    invoke: { name: 'f', args: [1, 2n, '3'] },
    signal,
    whenFull: { wait: 1 },
  });
  const usage: Usage = outcome.usage;
  const limits: Limits = { fuel: 'unlimited' };
  void limits;
  const fuel: number | null = usage.fuel;
  const status: ExitStatus = outcome.status;
  if (status.kind === 'exited') void (status.code + (fuel ?? 0));
  const started: Run = start(new Uint8Array(), { stdin: 'pipe', input: 'x' });
  started.stdin?.write('x');
  const port: number | undefined = (await started.published())[0]?.port;
  void port;
  const instance: Instance = await instantiate(new URL('file:///a.wasm'), {
    imports: {
      env: {
        f(at: number, length: number) {
          return this.memory.readString(at, length).length;
        },
        g: { params: ['i64'], results: ['i64'], call: async (x: bigint) => x + 1n },
        memory: { memory: 2 },
      },
    },
    stdout: 'capture',
  });
  const sum: number = instance.exports['add']!(1, 2);
  const { values, usage: used } = instance.callSync('add', [sum, 2n], { fuel: 5 });
  void [values.length, used.wallTime, (await instance.call('add', [], { signal })).value];
  const runtime = new Runtime({ cache: false, ceiling: { limits: { fuel: 1 }, engines: ['wasmtime'] } });
  const code: ErrorCode = new WasmrtError('x').code;
  void [runtime.status.running, code, AbortError, GuestEndedError, defaultRuntime()];

  // @ts-expect-error: a misspelt limit
  await run(module, { limits: { memory: 1 } });
  // @ts-expect-error: a misspelt option
  await run(module, { stdOut: 'capture' });
  // @ts-expect-error: no such engine
  await run(module, { engine: 'v8' });
  // @ts-expect-error: text is given as input
  await run(module, { stdin: 'text' });
  // @ts-expect-error: an instance is not connected to pipes
  await instantiate(module, { stdout: 'pipe' });
  // @ts-expect-error: calls take numbers and BigInt
  instance.callSync('add', ['1']);
  // @ts-expect-error: a call has no such limit
  instance.callSync('add', [], { memoryBytes: 1 });
}
