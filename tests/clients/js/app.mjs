// What every script here shares: its settings, a fetch that remembers, the app's documents, and the
// one line of JSON that the Python side judges.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { buildSchema, concatAST, isAbstractType, parse, separateOperations } from "graphql";

/** A setting from the environment; the Python side names what it leaves out. */
export function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`environment variable ${name} is missing; run this through pytest`);
  return value;
}

/** Prints the results as the only line of standard output. */
export function report(results) {
  process.stdout.write(`${JSON.stringify(results)}\n`);
}

export const bearer = (token) => (token ? { authorization: `Bearer ${token}` } : {});

/**
 * A fetch that passes everything on to the real one and remembers what went out and came back.
 * `take()` hands over the exchanges since the last call.
 */
export function recorder() {
  let exchanges = [];
  const recordingFetch = async (input, init = {}) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    const sent = {
      method: request.method,
      path: url.pathname,
      parameters: Object.fromEntries(url.searchParams),
      headers: Object.fromEntries(request.headers),
      body: init.body ? JSON.parse(init.body) : null,
    };
    const response = await fetch(input, init);
    exchanges.push({
      ...sent,
      status: response.status,
      answerHeaders: Object.fromEntries(response.headers),
      answer: JSON.parse(await response.clone().text()),
    });
    return response;
  };
  const take = () => {
    const taken = exchanges;
    exchanges = [];
    return taken;
  };
  return { fetch: recordingFetch, take };
}

/** The app's operations by name, each a document with the fragments it uses. */
export function operations(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith(".graphql"));
  const texts = files.sort().map((name) => parse(readFileSync(join(folder, name), "utf8")));
  return separateOperations(concatAST(texts));
}

/** Which types stand behind each interface and union, as a client's cache wants to know. */
export function possibleTypes(schemaFile) {
  const schema = buildSchema(readFileSync(schemaFile, "utf8"));
  const abstract = Object.values(schema.getTypeMap()).filter(isAbstractType);
  return Object.fromEntries(
    abstract.map((type) => [type.name, schema.getPossibleTypes(type).map((one) => one.name)]),
  );
}
