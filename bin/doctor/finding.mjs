// A finding: `{ id, level, what, meaning, advice }`.
//
//   ok, info    nothing to do
//   warn        a person should check it
//   fail        the store cannot keep its promises
//   unchecked   it could not be checked, so its state is unknown
//   skipped     left out on request

export const ok = (id, what) => ({ id, level: 'ok', what });
export const info = (id, what, meaning) => ({ id, level: 'info', what, meaning });
export const skipped = (id, what) => ({ id, level: 'skipped', what });
export const unchecked = (id, what, meaning, advice) => ({ id, level: 'unchecked', what, meaning, advice });
export const warn = (id, what, meaning, advice) => ({ id, level: 'warn', what, meaning, advice });
export const fail = (id, what, meaning, advice) => ({ id, level: 'fail', what, meaning, advice });
