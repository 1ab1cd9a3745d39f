'use strict';
// A run as its caller sees it: streams, the end, and ending it.

const fs = require('node:fs');
const net = require('node:net');
const { AbortError } = require('./errors.js');
const { onAbort } = require('./abort.js');
const { outcome } = require('./answers.js');

/** What has to be done when nobody holds a run any more. */
const forgotten = new FinalizationRegistry(({ native, ends, deaf }) => {
  deaf();
  native.abandon();
  ends.close();
});

/** Keeps a run alive for as long as somebody reads from it or writes to it. */
const runOf = new WeakMap();

/** Our ends of the guest's pipes. One becomes a stream when it is asked for, and is then its owner's to read, write or destroy. */
class Ends {
  constructor(descriptors) {
    this.descriptors = descriptors;
  }

  take(index) {
    const fd = this.descriptors[index];
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

/** Waits until a stream takes more, or takes nothing any more. */
function writable(sink) {
  return new Promise((resolve) => {
    const events = ['drain', 'close', 'error'];
    const done = () => {
      for (const event of events) sink.off(event, done);
      resolve();
    };
    for (const event of events) sink.on(event, done);
  });
}

/** A run that was started. When nobody holds it or waits for it any more, the guest is ended. */
class Run {
  #native;
  #ends;
  #streams = [undefined, undefined, undefined];
  #signal;
  #deaf;
  #pumps = [];
  #failure;
  #end;

  /** @internal */
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

  /** Where the guest's standard input is written to, if it is piped; else null. */
  get stdin() {
    return this.#stream(0);
  }

  /** Where its standard output is read from, if it is piped; else null. */
  get stdout() {
    return this.#stream(1);
  }

  /** Where its standard error is read from, if it is piped; else null. */
  get stderr() {
    return this.#stream(2);
  }

  /** How it ended. */
  wait() {
    this.#end ??= this.#wait();
    return this.#end;
  }

  /** Ends it: it fails with the code `cancelled`, unless its end came first. */
  cancel() {
    this.#native.cancel();
  }

  async #wait() {
    try {
      const ended = outcome(await this.#native.wait());
      await Promise.all(this.#pumps);
      if (this.#failure) throw this.#failure.error;
      return ended;
    } catch (error) {
      if (this.#failure) throw this.#failure.error;
      if (error.code === 'cancelled' && this.#signal?.aborted) throw new AbortError(this.#signal.reason);
      throw error;
    } finally {
      this.#deaf();
      // Nobody reads what is written from here on.
      this.#streams[0]?.destroy();
    }
  }

  #stream(index) {
    const fd = this.#streams[index] === undefined ? this.#ends.take(index) : -1;
    if (fd >= 0) {
      const writable = index === 0;
      const stream = new net.Socket({ fd, readable: !writable, writable, allowHalfOpen: true });
      // A guest that ends without reading all of its input is no error of the writer's.
      if (writable) stream.on('error', (error) => error.code === 'EPIPE' || this.#fail(error));
      runOf.set(stream, this);
      this.#streams[index] = stream;
    }
    return this.#streams[index] ?? null;
  }

  #fail(error) {
    this.#failure ??= { error };
    this.#native.cancel();
  }

  #feed(source) {
    const stdin = this.#stream(0);
    source.on('error', (error) => this.#fail(error));
    stdin.on('close', () => source.unpipe?.(stdin));
    source.pipe(stdin);
  }

  /** Passes on what the guest writes, as fast as it is taken. The sink stays open: it is the caller's. */
  async #drain(from, sink) {
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

module.exports = { Run };
