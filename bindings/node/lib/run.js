'use strict';
// A run as its caller sees it: streams, the end, and ending it.

const fs = require('node:fs');
const net = require('node:net');
const { AbortError, WasmrtError } = require('./errors.js');
const { onAbort } = require('./abort.js');
const { answered, outcome } = require('./answers.js');

/** What has to be done when nobody holds a run any more. */
/** @type {FinalizationRegistry<{ native: any, ends: Ends, deaf: () => void }>} */
const forgotten = new FinalizationRegistry(({ native, ends, deaf }) => {
  deaf();
  native.abandon();
  ends.close();
});

/**
 * Keeps a run alive for as long as somebody reads from it or writes to it.
 * @type {WeakMap<net.Socket, Run>}
 */
const runOf = new WeakMap();

/** Our ends of the guest's pipes. One becomes a stream when it is asked for, and is then its owner's to read, write or destroy. */
class Ends {
  /** @param {number[]} descriptors */
  constructor(descriptors) {
    this.descriptors = descriptors;
  }

  /** @param {number} index */
  take(index) {
    const fd = this.descriptors[index] ?? -1;
    this.descriptors[index] = -1;
    return fd;
  }

  close() {
    for (const index of this.descriptors.keys()) {
      const fd = this.take(index);
      if (fd >= 0) fs.closeSync(fd);
    }
  }
}

/**
 * Waits until a stream takes more, or takes nothing any more.
 * @param {import('node:stream').Writable} sink
 * @returns {Promise<void>}
 */
function writable(sink) {
  return new Promise((/** @type {(nothing?: undefined) => void} */ resolve) => {
    const events = ['drain', 'close', 'error'];
    const done = () => {
      for (const event of events) sink.off(event, done);
      resolve();
    };
    for (const event of events) sink.on(event, done);
  });
}

/**
 * Makes a run of what the native half started. Users cannot.
 * @type {(native: any, connected: import('./options.js').Connected, signal: AbortSignal | undefined) => Run}
 */
let runOfNative;

/** A run that was started. When nobody holds it or waits for it any more, the guest is ended. */
class Run {
  static {
    runOfNative = (native, connected, signal) => new Run(native, connected, signal);
  }

  #native;
  #ends;
  /** @type {(net.Socket | undefined)[]} */
  #streams = [undefined, undefined, undefined];
  #signal;
  #deaf;
  /** @type {Promise<void>[]} */
  #pumps = [];
  /** @type {{ error: unknown } | undefined} */
  #failure;
  /** @type {Promise<import('./types.js').Outcome> | undefined} */
  #end;

  /**
   * @private
   * @param {any} native
   * @param {import('./options.js').Connected} connected
   * @param {AbortSignal | undefined} signal
   */
  constructor(native, { source, stdout, stderr }, signal) {
    const ends = new Ends(native.descriptors);
    this.#native = native;
    this.#ends = ends;
    this.#signal = signal;
    this.#deaf = onAbort(signal, () => native.cancel());
    forgotten.register(this, { native, ends, deaf: this.#deaf });
    if (source) this.#feed(source);
    if (stdout) this.#pumps.push(this.#drain(this.#stream(1), stdout));
    if (stderr) this.#pumps.push(this.#drain(this.#stream(2), stderr));
  }

  /**
   * Where the guest's standard input is written to, if it is piped; else null.
   * @returns {import('node:stream').Writable | null}
   */
  get stdin() {
    return this.#stream(0);
  }

  /**
   * Where its standard output is read from, if it is piped; else null.
   * @returns {import('node:stream').Readable | null}
   */
  get stdout() {
    return this.#stream(1);
  }

  /**
   * Where its standard error is read from, if it is piped; else null.
   * @returns {import('node:stream').Readable | null}
   */
  get stderr() {
    return this.#stream(2);
  }

  /**
   * How it ended.
   * @returns {Promise<import('./types.js').Outcome>}
   */
  wait() {
    this.#end ??= this.#wait();
    return this.#end;
  }

  /**
   * The ports that the system chose: those that `network.publish` names as port 0. Settles when they are bound; a run that ended before that has fewer.
   * @returns {Promise<import('./types.js').PublishedPort[]>}
   */
  async published() {
    /** @type {{ local: string, guest_port: number, protocol: 'tcp' | 'udp' }[]} */
    const ports = answered(await this.#native.published());
    return ports.map(({ local, guest_port: guestPort, protocol }) => {
      const colon = local.lastIndexOf(':');
      return { address: local.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(local.slice(colon + 1)), guestPort, protocol };
    });
  }

  /** Ends it: it fails with the code `cancelled`, unless its end came first. */
  cancel() {
    this.#native.cancel();
  }

  /** @returns {Promise<import('./types.js').Outcome>} */
  async #wait() {
    try {
      const ended = outcome(await this.#native.wait());
      await Promise.all(this.#pumps);
      if (this.#failure) throw this.#failure.error;
      return ended;
    } catch (error) {
      if (this.#failure) throw this.#failure.error;
      if (error instanceof WasmrtError && error.code === 'cancelled' && this.#signal?.aborted) throw new AbortError(this.#signal.reason);
      throw error;
    } finally {
      this.#deaf();
      // Nobody reads what is written from here on.
      this.#streams[0]?.destroy();
    }
  }

  /** @param {number} index */
  #stream(index) {
    const fd = this.#streams[index] === undefined ? this.#ends.take(index) : -1;
    if (fd >= 0) {
      const writable = index === 0;
      const stream = new net.Socket({ fd, readable: !writable, writable, allowHalfOpen: true });
      // A guest that ends without reading all of its input is no error of the writer's.
      if (writable) stream.on('error', (/** @type {NodeJS.ErrnoException} */ error) => error.code === 'EPIPE' || this.#fail(error));
      runOf.set(stream, this);
      this.#streams[index] = stream;
    }
    return this.#streams[index] ?? null;
  }

  /** @param {unknown} error */
  #fail(error) {
    this.#failure ??= { error };
    this.#native.cancel();
  }

  /** @param {import('node:stream').Readable} source */
  #feed(source) {
    const stdin = this.#stream(0);
    if (!stdin) return;
    source.on('error', (error) => this.#fail(error));
    stdin.on('close', () => source.unpipe?.(stdin));
    source.pipe(stdin);
  }

  /**
   * Passes on what the guest writes, as fast as it is taken. The sink stays open: it is the caller's.
   * @param {net.Socket | null} from
   * @param {import('node:stream').Writable} sink
   */
  async #drain(from, sink) {
    if (!from) return;
    /** @param {unknown} error */
    const broken = (error) => this.#fail(error);
    sink.on('error', broken);
    try {
      for await (const chunk of from) {
        if (!sink.write(chunk)) await writable(sink);
        if (this.#failure || sink.destroyed) break;
      }
      if (sink.destroyed) this.#fail(sink.errored ?? new Error('the stream that takes the output was closed'));
    } catch (error) {
      this.#fail(error);
    } finally {
      sink.off('error', broken);
    }
  }
}

module.exports = { Run, runOfNative };
