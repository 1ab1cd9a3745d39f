/**
 * What the native half settles promises with.
 */
export type Answer = {
    json: string;
    stdout?: Buffer;
    stderr?: Buffer;
};
/**
 * The answer, or its error thrown.
 * @param {Answer} answer
 * @returns {any}
 */
export function answered({ json }: Answer): any;
/**
 * How a run ended.
 * @param {Answer} answer
 * @returns {import('./types.js').Outcome}
 */
export function outcome(answer: Answer): import("./types.js").Outcome;
/**
 * Names in camelCase, on every level; durations as seconds.
 * @param {any} json
 * @returns {any}
 */
export function translated(json: any): any;
/**
 * @typedef {object} Answer What the native half settles promises with.
 * @property {string} json
 * @property {Buffer} [stdout]
 * @property {Buffer} [stderr]
 */
/**
 * A value of the guest's from its type and bits.
 * @param {[import('./types.js').ValueType, string]} typed
 * @returns {import('./types.js').Value}
 */
export function value([type, bits]: [import("./types.js").ValueType, string]): import("./types.js").Value;
