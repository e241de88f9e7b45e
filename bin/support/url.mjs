// What looks like a url, and what is one of a server.
//
// Invariant: a text that went through `hideSecrets` holds no password of a url, also of one that is mistyped.

// Of whatever scheme, and with one slash too. One letter is a drive of Windows.
export const isUrl = (text) => /^\s*[a-z][a-z0-9+.-]+:\/+/i.test(text);

export const isServerUrl = (text) => /^postgres(ql)?:\/\//.test(text);

// The text without what stands between a colon and an `@`, and without parameters that are passwords.
export function hideSecrets(text) {
  return String(text)
    .replaceAll(/([a-z][a-z0-9+.-]+:\/+[^\s:@/]*):.*@/gi, '$1:…@')
    .replaceAll(/:(?!\/)[^\s@…]*@(?:[^\s@]*@)*/g, ':…@')
    .replaceAll(/(password\s*=\s*)('(?:\\.|[^'\\])*'|"[^"]*"|[^&\s]*)/gi, '$1…');
}
