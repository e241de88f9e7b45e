// `npm run docs`: writes docs/api.md, the reference of every export, from index.d.ts. All its text comes from the
// sources of index.d.ts. With --check it only fails where docs/api.md is not current.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { fail, root } from './tools.mjs';

const source = ts.createSourceFile(
  'index.d.ts',
  readFileSync(join(root, 'index.d.ts'), 'utf8'),
  ts.ScriptTarget.Latest,
  true,
);
const target = join(root, 'docs', 'api.md');

/** The names that each subpath exports, from its hand-written declarations. */
const subpathOf = new Map();
for (const subpath of ['append-log', 'storage']) {
  const text = readFileSync(join(root, 'lib', `${subpath}.d.ts`), 'utf8');
  for (const [, names] of text.matchAll(/export (?:type )?\{([^}]*)\}/g)) {
    for (const name of names.split(',').map((each) => each.trim())) if (name) subpathOf.set(name, subpath);
  }
}

// --- Documentation comments ---

const plain = (comment) => (ts.getTextOfJSDocComment(comment) ?? '').trim();

function docOf(node) {
  const parts = node.jsDoc?.at(-1);
  if (!parts) return { text: '', params: new Map(), examples: [] };
  const params = new Map();
  const examples = [];
  for (const tag of parts.tags ?? []) {
    if (ts.isJSDocParameterTag(tag))
      params.set(tag.name.getText(), plain(tag.comment).replace(/\s*\n\s*/g, ' '));
    if (tag.tagName.text === 'example') examples.push(plain(tag.comment).replace(/^```\w*\n|\n```$/g, ''));
  }
  return { text: plain(parts.comment), params, examples };
}

const code = (text) => `\`\`\`ts\n${text}\n\`\`\`\n`;
const cell = (text) => text.replaceAll('|', '\\|');

/** The declaration without comments and modifiers, on one line where it fits. */
function signatureOf(node) {
  const text = source.text.slice(node.getStart(source, false), node.end);
  return (
    text
      .replace(/^export (declare )?/, '')
      .replace(/\s+/g, ' ')
      .replace(/\( /g, '(')
      .replace(/, \)/g, ')')
      // A long union begins with its sign.
      .replace(/= \| /, '= ')
      .replace(/;$/, '')
  );
}

// --- Sections ---

const isCall = (node) =>
  ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node) || ts.isMethodSignature(node);

/** The declarations in groups: a call that can be made in several ways has one for each, and they belong together. */
function overloads(nodes) {
  const groups = new Map();
  for (const node of nodes) {
    const group = isCall(node) && groups.get(node.name.getText());
    if (group) group.push(node);
    else groups.set(isCall(node) ? node.name.getText() : node, [node]);
  }
  return [...groups.values()];
}

/** A function or method under its heading: what `described` says of each way to call it. */
const callable = (nodes, heading) => [heading, '', ...nodes.flatMap(described)];

/** Signature, text, parameters, examples. */
function described(node) {
  const { text, params, examples } = docOf(node);
  const lines = [code(signatureOf(node))];
  if (text) lines.push(text, '');
  if (params.size > 0) {
    lines.push('| parameter | |', '| --- | --- |');
    for (const [name, meaning] of params) lines.push(`| \`${name}\` | ${cell(meaning)} |`);
    lines.push('');
  }
  for (const example of examples) lines.push('Example:', '', code(example));
  return lines;
}

function classSection(node) {
  const { text, examples } = docOf(node);
  const lines = [`### ${node.name.text}`, ''];
  if (text) lines.push(text, '');
  for (const example of examples) lines.push('Example:', '', code(example));
  // An interface of the same name adds members that the Rust sources cannot declare.
  const added = source.statements.filter(
    (each) => ts.isInterfaceDeclaration(each) && each.name.text === node.name.text,
  );
  // Only the package makes an object of a class whose constructor is private.
  const members = [...node.members, ...added.flatMap((each) => [...each.members])].filter(
    (member) => !member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword),
  );
  for (const group of overloads(members)) {
    const name = ts.isConstructorDeclaration(group[0]) ? 'constructor' : group[0].name.getText();
    lines.push(...callable(group, `#### ${node.name.text}: ${name}`));
  }
  return lines;
}

function interfaceSection(node) {
  const { text } = docOf(node);
  const base = node.heritageClauses?.[0]?.types[0].expression.getText();
  const lines = [`### ${node.name.text}`, ''];
  if (text) lines.push(text, '');
  // JavaScript's own types are described elsewhere.
  const isOurs = source.statements.some((each) => ts.isInterfaceDeclaration(each) && each.name.text === base);
  const shown = isOurs
    ? `[${base}](#${base.toLowerCase()})`
    : `\`${node.heritageClauses?.[0]?.types[0].getText()}\``;
  if (base) lines.push(`Has the properties of ${shown}, and:`, '');
  lines.push('| property | type | |', '| --- | --- | --- |');
  for (const member of node.members) {
    const name = `${member.name?.getText() ?? '[property]'}${member.questionToken ? '?' : ''}`;
    const type = (member.type?.getText() ?? '').replace(/\s+/g, ' ');
    lines.push(`| \`${name}\` | \`${cell(type)}\` | ${cell(docOf(member).text.replace(/\s*\n\s*/g, ' '))} |`);
  }
  return [...lines, ''];
}

/** Whether a statement declares an object of texts, as `scripts/declarations.mjs` makes one of an enum. */
const isConstants = (node) =>
  ts.isVariableStatement(node) && ts.isTypeLiteralNode(node.declarationList.declarations[0].type);

/** The name that a statement declares. */
const nameOf = (node) => (node.name ?? node.declarationList?.declarations[0].name)?.text;

function constantsSection(node) {
  const name = nameOf(node);
  const type = source.statements.find((each) => ts.isTypeAliasDeclaration(each) && nameOf(each) === name);
  const lines = [`### ${name}`, '', docOf(node).text, '', '| member | value | |', '| --- | --- | --- |'];
  for (const member of node.declarationList.declarations[0].type.members) {
    const value = member.type.getText();
    lines.push(`| \`${member.name.getText()}\` | \`${value}\` | ${cell(docOf(member).text)} |`);
  }
  return [...lines, '', code(signatureOf(type)), docOf(type).text, ''];
}

/** The first sentence of a documentation comment, on one line. */
function summaryOf(node) {
  const [paragraph] = docOf(node).text.split('\n\n');
  const [sentence] = paragraph.replace(/\s*\n\s*/g, ' ').split(/(?<=[.;:]) (?=[A-Z`'{])/);
  return sentence.replace(/[.;:]$/, '');
}

/** Functions come first, so a class whose name differs from a function's in case alone has the second heading. */
function anchorOf(node) {
  const anchor = nameOf(node).toLowerCase();
  const isTaken = source.statements.some(
    (each) => ts.isFunctionDeclaration(each) && each.name.text.toLowerCase() === anchor,
  );
  return ts.isClassDeclaration(node) && isTaken ? `${anchor}-1` : anchor;
}

/** A table of all names that can be called or constructed, for each place that exports them. */
function overview() {
  const kinds = [ts.isFunctionDeclaration, ts.isClassDeclaration, isConstants];
  const rows = new Map([
    ['append-log', []],
    ['storage', []],
    ['', []],
  ]);
  for (const [node] of overloads(source.statements.filter((each) => kinds.some((isKind) => isKind(each))))) {
    const name = nameOf(node);
    const row = `| [${name}](#${anchorOf(node)}) | ${cell(summaryOf(node))} |`;
    rows.get(subpathOf.get(name) ?? '').push(row);
  }
  const lines = [
    '## At a glance',
    '',
    'All functions return promises unless their declaration says otherwise. A `logName` is a file name without its ending.',
    'The root exports everything; two subpaths export a part each.',
    '',
  ];
  for (const [subpath, ofPlace] of rows) {
    const title = subpath ? `\`progressive-storage/${subpath}\`` : 'From the root only';
    ofPlace.sort((one, other) => one.localeCompare(other, 'en'));
    lines.push(`### ${title}`, '', '| name | |', '| --- | --- |', ...ofPlace, '');
  }
  return lines;
}

function reference() {
  const sections = { functions: [], classes: [], constants: [], types: [] };
  const classes = new Set(source.statements.filter(ts.isClassDeclaration).map((node) => node.name.text));
  const constants = new Set(source.statements.filter(isConstants).map(nameOf));
  for (const group of overloads(source.statements)) {
    const [node] = group;
    if (ts.isFunctionDeclaration(node)) {
      const subpath = subpathOf.get(node.name.text);
      const where = subpath ? [`Also in \`progressive-storage/${subpath}\`.`, ''] : [];
      const lines = callable(group, `### ${node.name.text}`);
      sections.functions.push({ name: node.name.text, lines: [...lines, ...where] });
    } else if (ts.isClassDeclaration(node)) {
      sections.classes.push({ name: node.name.text, anchor: anchorOf(node), lines: classSection(node) });
    } else if (isConstants(node)) {
      sections.constants.push({ name: nameOf(node), lines: constantsSection(node) });
    } else if (ts.isInterfaceDeclaration(node) && !classes.has(node.name.text)) {
      sections.types.push({ name: node.name.text, lines: interfaceSection(node) });
    } else if (ts.isTypeAliasDeclaration(node) && !constants.has(node.name.text)) {
      sections.types.push({ name: node.name.text, lines: callable(group, `### ${node.name.text}`) });
    }
  }
  const lines = [
    '# API reference',
    '',
    'Generated from `index.d.ts` by `npm run docs`; not edited by hand.',
    '',
    ...overview(),
  ];
  for (const part of [sections.functions, sections.classes]) {
    part.sort((one, other) => one.name.localeCompare(other.name, 'en'));
  }
  for (const [title, entries] of Object.entries(sections)) {
    lines.push(`## ${title[0].toUpperCase()}${title.slice(1)}`, '');
    if (entries.length > 1) {
      lines.push(
        entries.map(({ name, anchor = name.toLowerCase() }) => `[${name}](#${anchor})`).join(' · '),
        '',
      );
    }
    for (const entry of entries) lines.push(...entry.lines);
  }
  return `${lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
}

const text = reference();
if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text)
    fail('docs/api.md is not current: run `npm run docs`, and commit it.');
} else {
  writeFileSync(target, text);
}
