// Compare ids with those of transformers.js: what read_tokenizers.py does, which says more.
//
//     node tests/readers/read.mjs PACKAGE FOLDER [PATTERN ...]
//
// PACKAGE is a folder of node_modules: .../node_modules/@huggingface/transformers, 3 or newer, or
// .../node_modules/@xenova/transformers.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [, , folderOfPackage, folder, ...known] = process.argv;
const { exports: ways, main, name: packageName, version } = JSON.parse(
  readFileSync(`${folderOfPackage}/package.json`, "utf8"),
);
const file = ways?.node?.import?.default ?? ways?.node?.import ?? main;
const loaded = await import(pathToFileURL(resolve(folderOfPackage, file)));
const { AutoTokenizer, env } = loaded.AutoTokenizer ? loaded : loaded.default;
env.allowRemoteModels = false;
env.allowLocalModels = true;
env.localModelPath = `${resolve(folder)}/`;

const options = { add_special_tokens: false };
// Version 2 has the second text of a pair before the options.
const more = version.startsWith("2.") ? [null, options] : [options];

async function differing(name, rows) {
  try {
    const theirs = await AutoTokenizer.from_pretrained(name);
    const bad = rows.filter(
      ([text, ids]) => String(Array.from(theirs.encode(text, ...more), Number)) !== String(ids),
    );
    if (bad.length === 0) return null;
    const [text] = bad.reduce((a, b) => (b[0].length < a[0].length ? b : a));
    return `${bad.length} of ${rows.length} texts, such as ${JSON.stringify(text)}`;
  } catch (error) {
    return `not read: ${error}`;
  }
}

const texts = JSON.parse(readFileSync(`${folder}/texts.json`, "utf8"));
console.log(`${packageName} ${version}: ${Object.keys(texts).length} exports`);
const found = [];
for (const [name, rows] of Object.entries(texts)) {
  const difference = await differing(name, rows);
  console.log(`${name}: ${difference ?? "equal"}`);
  if (difference !== null) found.push(name);
}
process.exit(String(found.sort()) === String(known.sort()) ? 0 : 1);
