// Validates resources by the models that are made from the published CRDs: `node kubernetes_models.mjs FILE`.
// Prints a line for each resource that does not pass; a kind without a model does not pass either.
import { readFileSync } from "node:fs";

for (const { name, module, kind, resource } of JSON.parse(readFileSync(process.argv[2], "utf8"))) {
  try {
    new (await import(module))[kind](resource).validate();
  } catch (error) {
    console.log(`${name}: ${error.message}`);
  }
}
