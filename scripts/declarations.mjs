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

/** A declaration with its comment. A class that only the package makes has no public constructor. */
function publicDeclaration(node) {
  const text = node.getFullText().trim();
  if (!ts.isClassDeclaration(node) || open.has(node.name.text)) return text;
  return text.replace(/^(export declare class .*\{)$/m, '$1\n  private constructor()');
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
