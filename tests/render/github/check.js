// Usage: node check.cjs WORKFLOW... ; prints what GitHub's editor would underline, and fails if there is anything.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { validate } from "@actions/languageservice";
import { TextDocument } from "vscode-languageserver-textdocument";

// No top-level await: the bundle is CommonJS, as esbuild makes it for Node.
async function main(paths) {
  let complaints = 0;
  for (const path of paths) {
    const uri = `file:///.github/workflows/${basename(path)}`;
    const document = TextDocument.create(uri, "yaml", 1, readFileSync(path, "utf8"));
    for (const { range, message } of await validate(document)) {
      complaints += 1;
      console.log(`${path}:${range.start.line + 1}: ${message}`);
    }
  }
  process.exitCode = complaints === 0 ? 0 : 1;
}

main(process.argv.slice(2));
