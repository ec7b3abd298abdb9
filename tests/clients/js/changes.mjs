// Compares pairs of schemas with graphql-inspector and with graphql-js; prints what each found of
// every pair, and the names of all kinds of change that they list.
import { readFileSync } from "node:fs";
import { ChangeType, diff } from "@graphql-inspector/core";
import {
  BreakingChangeType,
  DangerousChangeType,
  buildSchema,
  findBreakingChanges,
  findDangerousChanges,
} from "graphql";

const pairs = JSON.parse(readFileSync(process.env.PAIRS, "utf8"));
const found = [];
for (const [before, after] of pairs) {
  const [old, now] = [buildSchema(before), buildSchema(after)];
  const changes = await diff(old, now);
  found.push({
    inspector: changes.map(({ type, criticality }) => [type, criticality.level]),
    breaking: findBreakingChanges(old, now).map(({ type }) => type),
    dangerous: findDangerousChanges(old, now).map(({ type }) => type),
  });
}
const listed = {
  inspector: Object.values(ChangeType),
  breaking: Object.values(BreakingChangeType),
  dangerous: Object.values(DangerousChangeType),
};
console.log(JSON.stringify({ found, listed }));
