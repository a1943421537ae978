// A subscriber that knows one thing: where an AsyncAPI document is. Streams, subjects, schemas, which header is
// what, and how messages follow each other are read from it; no name of what is published stands here.
// Prints what it read by channel and what it noticed, as one JSON object, when nothing more comes.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";
import protobuf from "protobufjs";

const [path, server] = process.argv.slice(2);
const document = JSON.parse(readFileSync(path, "utf8"));
const resolve = (one) => {
  if (one?.$ref === undefined) return one;
  const steps = one.$ref.slice(2).split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  return resolve(steps.reduce((found, step) => found[step], document));
};

// What is received: each channel's stream, subject as NATS filters it, and how its messages are read.
const received = Object.values(document.operations).filter((one) => one.action === "receive").map((operation) => {
  const channel = resolve(operation.channel);
  const message = resolve(Object.values(channel.messages)[0]);
  const filter = channel.address.replace(/\{[^}]+\}/g, "*");
  const pattern = new RegExp(`^${filter.replaceAll(".", "\\.").replaceAll("*", "[^.]+")}$`);
  return { name: operation.channel.$ref, stream: channel["x-jetstream"], filter, pattern, message, read: reader(message) };
});

function reader({ name, payload }) {
  if (!payload.schemaFormat?.includes("protobuf")) return (data) => Buffer.from(data).toString("utf8");
  const type = protobuf.parse(payload.schema, { keepCase: true }).root.lookupType(name);
  return (data) => type.decode(data);
}

// A runtime expression of AsyncAPI: $message.header#/name or $message.payload#/name.
function value(expression, message, body) {
  const [, where, name] = expression.match(/^\$message\.(header|payload)#\/(.+)$/);
  return where === "header" ? message.headers?.get(name) ?? "" : String(body[name]);
}

const faults = [], places = new Map(), counts = {};

function follow(order, message, body) {
  const at = (name) => value(order[name], message, body);
  const key = at("key"), number = Number(at("number")), previous = at("previousHash"), id = `${key}/${number}`;
  for (const expression of order.agrees.key) if (value(expression, message, body) !== key) faults.push(`KEY ${id}`);
  for (const expression of order.agrees.number)
    if (Number(value(expression, message, body)) !== number) faults.push(`NUMBER ${id}`);
  const place = places.get(key) ?? { number: order.first.number - 1, hash: order.first.previousHash };
  if (number <= place.number) return number < place.number || hash(order, previous, message.data) === place.hash
    ? undefined : faults.push(`REWRITTEN ${id}`);
  if (number > place.number + 1) faults.push(`GAP ${id}`);
  else if (previous !== place.hash) faults.push(`FORKED ${id}`);
  places.set(key, { number, hash: hash(order, previous, message.data) });
}

// Over the parts that the document lists, in their order.
function hash(order, previous, body) {
  const parts = { previousHash: Buffer.from(previous, order.hash.encoding), body: Buffer.from(body) };
  const digest = createHash(order.hash.algorithm);
  for (const part of order.hash.over) digest.update(parts[part]);
  return digest.digest(order.hash.encoding);
}

function take(message) {
  const channel = received.find((one) => one.pattern.test(message.subject));
  counts[channel.name] = (counts[channel.name] ?? 0) + 1;
  const missing = (resolve(channel.message.headers)?.required ?? []).filter((name) => !message.headers?.has(name));
  if (missing.length) faults.push(`HEADERS ${message.subject} ${missing}`);
  let body;
  try {
    body = channel.read(message.data);
  } catch (failure) {
    return faults.push(`UNREADABLE ${message.subject}`);
  }
  if (channel.message["x-order"]) follow(channel.message["x-order"], message, body);
}

const client = await connect({ servers: server ?? Object.values(document.servers)[0].host });
for (const stream of new Set(received.map((one) => one.stream))) {
  const filter_subjects = received.filter((one) => one.stream === stream).map((one) => one.filter);
  const consumer = await jetstream(client).consumers.get(stream, { filter_subjects });
  let left = (await consumer.info(true)).num_pending;
  while (left > 0) {
    for await (const message of await consumer.fetch({ max_messages: Math.min(left, 500), expires: 5000 })) {
      take(message);
      left = message.info.pending;
    }
  }
}
await client.close();
console.log(JSON.stringify({ counts, faults, keys: Object.fromEntries([...places].map(([key, one]) => [key, one.number])) }));
