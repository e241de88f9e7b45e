/**
 * Draws a flame graph of a recording of perf:
 *
 *     perf record -F 1499 -e cpu-clock --call-graph fp -o x.perf node --perf-basic-prof SCRIPT
 *     perf script --no-inline -F comm,ip,sym,dso -i x.perf | node bench/flame/draw.mjs OUT.svg TITLE [PATTERN]
 *
 * It draws all samples of this package's own threads. Of the JavaScript thread it draws those whose stack matches
 * PATTERN: most others are the start of Node.js and the preparation of test data. Build the addon with names and
 * frame pointers:
 *
 *     RUSTFLAGS="-C force-frame-pointers=yes" CARGO_PROFILE_RELEASE_STRIP=none CARGO_PROFILE_RELEASE_DEBUG=1
 */

import fs from 'node:fs';

const WIDTH = 1200;
const ROW = 17;
const TOP = 44;
const DEPTH_MAX = 26;
const SHARE_MIN = 0.004;
const LETTER = 6;

/** Frames that only lead to the work. */
const WAY =
  /^(__libc_start|_start|main$|node::Start|node::NodeMain|node::SpinEvent|uv_run|clone|start_thread|std::|core::ops|_ZN|__clone|entry_SYSCALL|do_syscall|x64_sys_call|__x64_sys|Builtins_JSEntry|v8::internal::.*Invoke|v8::internal::Execution|v8::Function::Call|asm_exc|exc_page|alloc::|__rust|Builtins_Interpreter|Builtins_CEntry|thread_start)/;
const OURS = /^<?((data|store|files|game|vfs|bindings|engine)::|crc32|memchr|hashbrown|serde|flate2|xxhash)/;
const RUNTIME = /^js |^Builtins|^v8|^node|^napi/;
const THREAD = /^(ps-|JavaScript thread)/;

const [file, title, pattern] = process.argv.slice(2);
const kept = pattern === undefined ? null : new RegExp(pattern);
const root = { name: 'all', samples: 0, children: new Map() };
for (const stack of stacks(fs.readFileSync(0, 'utf8'))) add(stack);
fs.writeFileSync(file, draw());

/** Each sample as its thread and its frames, the outermost first. */
function* stacks(text) {
  for (const sample of text.split('\n\n')) {
    const [head, ...lines] = sample.split('\n').filter((line) => line !== '');
    if (head === undefined) continue;
    const thread = head.trim().replace(/^node\b.*$/, 'JavaScript thread');
    const frames = lines.flatMap((line) => nameOf(line) ?? []).filter((name) => !WAY.test(name));
    const isKept = thread.startsWith('ps-') || (kept?.test(lines.join(';')) && !/fixture/.test(lines));
    const inRow = frames.filter((name, index) => name !== frames[index - 1]);
    if (isKept && inRow.length > 0) yield [thread, ...inRow.reverse()];
  }
}

function nameOf(line) {
  const name = /^\s+[0-9a-f]+ (.*) \(.*\)$/.exec(line)?.[1];
  if (name === undefined || name === '[unknown]' || name.startsWith('0')) return null;
  const short = name
    .replace(/\+0x[0-9a-f]+$/, '')
    .replace(/^JS:[*~^]?/, 'js ')
    .replace(/file:\S*\/(\S+?):\d+:\d+$/, '$1')
    .replace(/progressive_storage::|<impl [^>]*>::|\(anonymous namespace\)::/g, '');
  return short.replace(/\(.*$/, '') || null;
}

function add(stack) {
  let node = root;
  node.samples += 1;
  for (const name of stack) {
    if (!node.children.has(name)) node.children.set(name, { name, samples: 0, children: new Map() });
    node = node.children.get(name);
    node.samples += 1;
  }
}

function draw() {
  const boxes = [];
  let rows = 0;
  const place = (node, left, depth) => {
    const share = node.samples / root.samples;
    if (share < SHARE_MIN || depth > DEPTH_MAX) return;
    rows = Math.max(rows, depth + 1);
    boxes.push(box(node.name, left, depth, share));
    let at = left;
    for (const child of [...node.children.values()].sort((one, other) => other.samples - one.samples)) {
      place(child, at, depth + 1);
      at += child.samples / root.samples;
    }
  };
  place(root, 0, 0);
  const legend =
    `Width: share of the ${root.samples} samples of processor time. ` +
    'Blue: this package. Yellow: Node.js and V8. Red: the system and its library.';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${TOP + rows * ROW}" font-family="sans-serif" font-size="11">`,
    `<title>${escaped(title)}</title><rect width="100%" height="100%" fill="#fff"/>`,
    `<text x="8" y="18" font-size="14" fill="#222">${escaped(title)}</text>`,
    `<text x="8" y="34" fill="#555">${legend}</text>`,
    ...boxes,
    '</svg>\n',
  ].join('\n');
}

function box(name, left, depth, share) {
  const [x, width, y] = [left * WIDTH, share * WIDTH - 0.5, TOP + depth * ROW];
  const letters = Math.floor(width / LETTER);
  const label = name.length <= letters ? name : name.split('::').slice(-2).join('::').slice(0, letters);
  const text =
    letters > 3 ? `<text x="${(x + 3).toFixed(1)}" y="${y + 12}" fill="#111">${escaped(label)}</text>` : '';
  const shown = `${escaped(name)} ${(share * 100).toFixed(1)} %`;
  const rect = `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colourOf(name)}"/>`;
  return `<g><title>${shown}</title>${rect}${text}</g>`;
}

function colourOf(name) {
  if (THREAD.test(name)) return '#cccccc';
  if (OURS.test(name)) return '#9cc7e8';
  return RUNTIME.test(name) ? '#f3d38a' : '#e8a79c';
}

function escaped(text) {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
