/**
 * A spec as JSON, what goes beside it, and the streams that are to be connected.
 */
export type Asked = {
    json: string;
    around: {
        stdin: Uint8Array | undefined;
        directory: string | undefined;
    };
    streams: Connected;
};
/**
 * Streams of the caller's that a run is connected to.
 */
export type Connected = {
    source: Readable | undefined;
    stdout: Writable | undefined;
    stderr: Writable | undefined;
};
/**
 * What options are before they have been looked at.
 */
export type Given = Record<string, any>;
/**
 * What options are before they have been looked at.
 * @typedef {Record<string, any>} Given
 */
/**
 * Options of a run, and the field of the spec that each goes into. Those of null are not the spec's.
 * @type {Readonly<Record<string, string | null>>}
 */
export const RUN_OPTIONS: Readonly<Record<string, string | null>>;
export const LIMITS: Map<string, string>;
/** @param {string} name */
export function camel(name: string): string;
/**
 * An options object in which every name is known: a misspelt limit must not be a missing one.
 * @param {unknown} options
 * @param {readonly string[]} known
 * @param {string} what
 * @returns {Given}
 */
export function checked(options: unknown, known: readonly string[], what: string): Given;
/**
 * Seconds, text with a unit, or `{ ms }`.
 * @param {unknown} value
 * @param {string} where
 */
export function span(value: unknown, where: string): unknown;
/**
 * @param {unknown} value
 * @returns {Uint8Array | undefined}
 */
export function bytesOf(value: unknown): Uint8Array | undefined;
/**
 * A spec as JSON, what goes beside it, and the streams that are to be connected.
 * @typedef {object} Asked
 * @property {string} json
 * @property {{ stdin: Uint8Array | undefined, directory: string | undefined }} around
 * @property {Connected} streams
 */
/**
 * Streams of the caller's that a run is connected to.
 * @typedef {{ source: Readable | undefined, stdout: Writable | undefined, stderr: Writable | undefined }} Connected
 */
/**
 * Reads options.
 * @param {unknown} options
 * @returns {Asked}
 */
export function translate(options: unknown): Asked;
/**
 * The options of a runtime, as JSON.
 * @param {unknown} options
 */
export function translateRuntime(options: unknown): string;
/**
 * What to do when all places are taken, in seconds of patience.
 * @param {unknown} whenFull
 */
export function patienceOf(whenFull?: unknown): number | undefined;
/**
 * @param {unknown} signal
 * @returns {AbortSignal | undefined}
 */
export function signalOf(signal: unknown): AbortSignal | undefined;
/**
 * JSON, with BigInt as numbers of any length and without what JSON would drop silently: Infinity would become null, and null means
 * the default.
 * @param {unknown} value
 * @returns {string}
 */
export function toJson(value: unknown, where?: string): string;
import { Readable } from "stream";
import { Writable } from "stream";
