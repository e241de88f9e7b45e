// A finding: `{ id, level, what, meaning, advice }`. `ok` and `info` need nothing; `warn` should be looked at;
// `fail` stops the store from keeping its promises; `unchecked` could not be looked at, so nobody knows. One that was
// left out on request is `skipped`.

export const ok = (id, what) => ({ id, level: 'ok', what });
export const info = (id, what, meaning) => ({ id, level: 'info', what, meaning });
export const skipped = (id, what) => ({ id, level: 'skipped', what });
export const unchecked = (id, what, meaning, advice) => ({ id, level: 'unchecked', what, meaning, advice });
export const warn = (id, what, meaning, advice) => ({ id, level: 'warn', what, meaning, advice });
export const fail = (id, what, meaning, advice) => ({ id, level: 'fail', what, meaning, advice });
