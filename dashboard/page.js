// Puts the page together from its parts in `page/`: one answer has all of it, so the page asks for nothing else at its start.
//
// The scripts are modules of one folder. In the page they are one module: their imports of each other and the words
// `export` are left out, so each top-level name is there once in all of them.

const fs = require('node:fs');
const path = require('node:path');

const FOLDER = path.join(__dirname, 'page');
/** Each script stands behind those that it imports. */
const SCRIPTS = [
  'units',
  'text',
  'scale',
  'chart',
  'commands',
  'facts',
  'panels',
  'overview',
  'browser',
  'main',
];

const read = (name) => fs.readFileSync(path.join(FOLDER, name), 'utf8');

const inOne = (text) => text.replace(/^import [^;]+;\n/gm, '').replace(/^export /gm, '');

let parts;

/** The page with a nonce and the words for its kind, see `Recorder.kind`. */
function page({ nonce, kind }) {
  parts ??= {
    html: read('index.html'),
    style: read('style.css'),
    script: SCRIPTS.map((name) => inOne(read(`${name}.mjs`))).join('\n'),
  };
  const { html, style, script } = parts;
  return html
    .replaceAll('__NONCE__', () => nonce)
    .replace('__KIND__', () => kind)
    .replace('/* __STYLE__ */', () => style)
    .replace('// __SCRIPT__', () => script);
}

module.exports = { page, SCRIPTS };
