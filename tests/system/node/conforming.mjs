// A subscriber that knows nothing of us but the AsyncAPI document: it follows LENDING with nats.js,
// takes each loan's events in order and once, and says which faults it notices. What it did is kept in
// FOLDER/effects.jsonl and FOLDER/faults.jsonl; it reads both back when it starts.
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import protobuf from "protobufjs";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const channel = document.channels.GRACE_ENTERED;
const stream = channel["x-jetstream"];
const filter = channel.address.split(".").slice(0, 3).join(".") + ".>";
const schema = document.components.messages.DelinquencyEvent.payload.schema;
const Event = protobuf.parse(schema, { keepCase: false }).root.lookupType("lending.ledger.v1.DelinquencyEvent");
const file = (name) => `${process.env.FOLDER}/${name}.jsonl`;
const lines = (name) =>
  existsSync(file(name)) ? readFileSync(file(name), "utf8").split("\n").slice(0, -1).map((line) => JSON.parse(line)) : [];

const places = new Map();
for (const { loan, sequence, hash } of lines("effects")) places.set(loan, { sequence, hash });
const faults = new Map();
for (const { fault, id } of lines("faults")) fault === "HEALED" ? faults.delete(id) : faults.set(id, fault);
const waiting = new Map();

function fault(name, id) {
  if (faults.get(id) === name) return;
  faults.set(id, name);
  appendFileSync(file("faults"), JSON.stringify({ fault: name, id }) + "\n");
}

function heal(id) {
  if (!["GAP", "UNREADABLE"].includes(faults.get(id))) return;
  faults.delete(id);
  appendFileSync(file("faults"), JSON.stringify({ fault: "HEALED", id }) + "\n");
}

function hash(previous, body) {
  return createHash("sha256").update(Buffer.from(previous, "hex")).update(body).digest("hex");
}

function read(message) {
  const header = (name) => message.headers?.get(name) ?? "";
  const loan = header("ce-subject"), sequence = Number(header("ce-sequence"));
  const previous = header("ce-previoushash"), id = `${loan}/${sequence}`;
  try {
    const event = Event.decode(message.data);
    if (event.loanId !== loan || Number(event.sequence) !== sequence) throw new Error("contradiction");
    return { id, loan, sequence, previous, hash: hash(previous, message.data), event };
  } catch {
    fault("UNREADABLE", id);
    return null;
  }
}

function take(one) {
  const place = places.get(one.loan) ?? { sequence: 0, hash: "0".repeat(64) };
  if (one.sequence > place.sequence + 1) {
    const lane = waiting.get(one.loan) ?? new Map();
    waiting.set(one.loan, lane.set(one.sequence, one));
    if (lane.size === 1) fault("GAP", one.id);
  } else if (one.sequence === place.sequence + 1) {
    if (one.previous !== place.hash) return fault("FORKED", one.id);
    const { loan, sequence, hash } = one;
    const daysPastDue = one.event.delinquency?.daysPastDue ?? 0;
    appendFileSync(file("effects"), JSON.stringify({ loan, sequence, hash, daysPastDue }) + "\n");
    places.set(loan, { sequence, hash });
    heal(one.id);
    const next = waiting.get(loan)?.get(sequence + 1);
    if (next) {
      waiting.get(loan).delete(sequence + 1);
      take(next);
    }
  } else if (one.sequence === place.sequence && one.hash !== place.hash) fault("REWRITTEN", one.id);
}

const client = await connect({ servers: process.env.NATS_URL, maxReconnectAttempts: -1, reconnectTimeWait: 200 });
for (;;) {
  try {
    // From the start each time: what is known is passed over, and a stream that was replaced is read whole.
    const manager = await jetstreamManager(client);
    const made = (await manager.streams.info(stream)).created;
    const consumer = await jetstream(client).consumers.get(stream, { filter_subjects: [filter] });
    while ((await manager.streams.info(stream)).created === made) {
      const message = await consumer.next({ expires: 1000 });
      const one = message && read(message);
      if (one) take(one);
    }
  } catch (failure) {
    console.error(String(failure));
    await new Promise((done) => setTimeout(done, 200));
  }
}
