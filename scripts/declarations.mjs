// Writes index.d.ts: the types in src/bindings/types.d.ts, what of the addon is public, and a function for each call of
// `Storage`, which lib/exports.js binds to the default storage.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { root } from './tools.mjs';

/** What of the addon lib/exports.js exports as it is, and the class that `Storage` extends. */
const PUBLIC = ['__napiBindingTarget', 'Collection', 'OpType', 'Storage'];

function parsed(...place) {
  const text = readFileSync(join(root, ...place), 'utf8');
  return ts.createSourceFile(place.at(-1), text, ts.ScriptTarget.Latest, true);
}

const types = parsed('src', 'bindings', 'types.d.ts');
const addon = parsed('lib', 'native.d.ts');

const declared = new Set(types.statements.filter(ts.isFunctionDeclaration).map((node) => node.name.text));
const open = new Set(['Storage']);

/** The comment of a declaration. */
const commentOf = (node) => node.getFullText().slice(0, -node.getText().length).trim();

/** The type parameters of classes, which the Rust sources use and cannot declare. */
const TYPE_PARAMETERS = { Collection: '<T = unknown, In = T>' };

/** A declaration with its comment. A class that only the package makes has no public constructor. */
function publicDeclaration(node) {
  if (ts.isEnumDeclaration(node)) return enumDeclaration(node);
  const text = node.getFullText().trim();
  if (!ts.isClassDeclaration(node) || open.has(node.name.text)) return text;
  const own = node.members.find(ts.isConstructorDeclaration)?.getFullText() ?? '';
  const head = `export declare class ${node.name.text}`;
  const parameters = TYPE_PARAMETERS[node.name.text] ?? '';
  return text.replace(own, '').replace(`${head} {`, `${head}${parameters} {\n  private constructor()`);
}

/**
 * An enum of texts as an object with a type of its own: the type takes the texts themselves, too, which that of an enum does
 * not, and its members stay types.
 */
function enumDeclaration(node) {
  const name = node.name.text;
  const members = node.members.map((member) => ({
    comment: commentOf(member),
    name: member.name.text,
    value: member.initializer.getText(),
  }));
  const lines = (lineOf) => members.map(lineOf).join('\n');
  return [
    commentOf(node),
    `export declare const ${name}: {`,
    lines((each) => `  ${each.comment}\n  readonly ${each.name}: ${each.value};`),
    '};',
    '',
    `/** Any of the texts of \`${name}\`. */`,
    `export type ${name} = ${members.map((each) => each.value).join(' | ')};`,
    '',
    `export declare namespace ${name} {`,
    lines((each) => `  type ${each.name} = ${each.value};`),
    '}',
  ].join('\n');
}

/** The module's function of a method. */
function boundFunction(method) {
  const text = method.getFullText().trim().replace(/^ {2}/gm, '');
  const [comment] = ts.getLeadingCommentRanges(text, 0) ?? [{ end: 0 }];
  return `${text.slice(0, comment.end)}\nexport declare function ${text.slice(comment.end).trim()}`.trim();
}

/** The name that a statement declares. */
function nameOf(node) {
  return (node.name ?? node.declarationList?.declarations[0].name)?.text;
}

const publicNodes = addon.statements.filter((node) => PUBLIC.includes(nameOf(node)));
const storage = publicNodes.find((node) => nameOf(node) === 'Storage');
const methods = storage.members.filter(ts.isMethodDeclaration).filter(({ name }) => !declared.has(name.text));
const parts = [types.text.trim(), ...publicNodes.map(publicDeclaration), ...methods.map(boundFunction)];
writeFileSync(join(root, 'index.d.ts'), `${parts.join('\n\n')}\n`);
