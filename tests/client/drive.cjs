// Calls methods of the stock catalog client: a line {method, args} in, a line {value} or {error} out.
const readline = require("node:readline");
const { CatalogClient, CATALOG_FILTER_EXISTS } = require("@backstage/catalog-client");

const base = process.argv[2];
const client = new CatalogClient({ discoveryApi: { getBaseUrl: async (id) => `${base}/api/${id}` } });

// What JSON cannot say: "exists" is a symbol, undefined is not null.
const revive = (key, value) => (value === "$EXISTS" ? CATALOG_FILTER_EXISTS : value);
const replace = (key, value) => (value === undefined ? "$UNDEFINED" : value);

async function call(method, args) {
  const result = client[method](...args);
  if (typeof result?.[Symbol.asyncIterator] !== "function") return await result;
  const pages = [];
  for await (const page of result) pages.push(page);
  return pages;
}

async function main() {
  const own = Object.getOwnPropertyNames(CatalogClient.prototype).filter((name) => name !== "constructor");
  console.log(JSON.stringify({ value: own }));
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { method, args } = JSON.parse(line, revive);
    try {
      console.log(JSON.stringify({ value: await call(method, args) }, replace));
    } catch (error) {
      const { name, message, statusCode, body } = error;
      console.log(JSON.stringify({ error: { name, message, statusCode, body } }));
    }
  }
}

main();
