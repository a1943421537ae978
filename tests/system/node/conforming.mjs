// A subscriber that knows nothing of us but the AsyncAPI document: it follows LENDING with nats.js,
// takes each loan's events in order and once, and says which faults it notices. What it did is kept in
// FOLDER/effects.jsonl and FOLDER/faults.jsonl, the checkpoints that it believes in FOLDER/checkpoints.jsonl;
// it reads them back when it starts.
import { createHash, createPublicKey, verify } from "node:crypto";
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import protobuf from "protobufjs";

const document = JSON.parse(readFileSync(process.argv[2], "utf8"));
const channel = document.channels.GRACE_ENTERED;
const stream = channel["x-jetstream"];
const filter = channel.address.split(".").slice(0, 3).join(".") + ".>";
const checkpoint = document.channels.CHECKPOINT.address;
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
  appendFileSync(file("faults"), JSON.stringify({ fault: name, id }) + "\n");
  faults.set(id, name);
}

function heal(id) {
  if (!["GAP", "UNREADABLE"].includes(faults.get(id))) return;
  appendFileSync(file("faults"), JSON.stringify({ fault: "HEALED", id }) + "\n");
  faults.delete(id);
}

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const node = (left, right) => sha256(Buffer.from([1]), left, right);
const base64 = (text) => Buffer.from(text, "base64");
const known = new Map(lines("checkpoints").map(({ size, root }) => [size, root]));
const keys = (process.env.LEDGER_VERIFIER_KEYS ?? "").split(",").filter(Boolean).map((text) => {
  const [, name, typed] = text.trim().match(/^([^+]+)\+[0-9a-f]{8}\+(.+)$/);
  const raw = base64(typed).subarray(1);
  const id = sha256(Buffer.from(`${name}\n`), base64(typed)).subarray(0, 4);
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
  return { name, id, key };
});

// A signed note (C2SP): the text, an empty line, then signatures, each behind four bytes of its key's hash.
function signed(note) {
  const end = note.lastIndexOf("\n\n") + 1;
  return note.slice(end + 1).split("\n").some((line) => {
    const [dash, name, encoded] = line.split(" ");
    const bytes = base64(encoded ?? "");
    return dash === "\u2014" && keys.some((one) => one.name === name && one.id.equals(bytes.subarray(0, 4))
      && note.startsWith(`${name}\n`) && verify(null, Buffer.from(note.slice(0, end)), one.key, bytes.subarray(4)));
  });
}

// RFC 9162, 2.1.4.2: the tree of the second size begins with that of the first.
function grew(first, second, before, after, proof) {
  const steps = (first & (first - 1)) === 0 ? [before, ...proof] : proof;
  if (!proof.length) return false;
  let place = first - 1, last = second - 1;
  while (place % 2) [place, last] = [place >> 1, last >> 1];
  let [old, now] = [steps[0], steps[0]];
  for (const step of steps.slice(1)) {
    if (last === 0) return false;
    if (place % 2 || place === last) {
      [old, now] = [node(step, old), node(step, now)];
      while (place && !(place % 2)) [place, last] = [place >> 1, last >> 1];
    } else now = node(now, step);
    [place, last] = [place >> 1, last >> 1];
  }
  return last === 0 && old.equals(before) && now.equals(after);
}

function hold(message) {
  const note = Buffer.from(message.data).toString(), [, number, root] = note.split("\n");
  const header = (name) => message.headers?.get(name) ?? "";
  const size = Number(number), id = `checkpoint/${size}`, largest = Math.max(0, ...known.keys());
  if (!signed(note)) return fault("CHECKPOINT_UNSIGNED", id);
  if (known.has(size)) return known.get(size) === root ? undefined : fault("CHECKPOINT_FORKED", id);
  if (size < largest) return;
  if (largest) {
    // Behind another one than the last that is believed it carries no proof for us: nothing is said, or kept.
    if (header("ce-previoussize") !== String(largest)) return;
    const proof = header("ce-consistency").split(" ").filter(Boolean).map(base64);
    if (!grew(largest, size, base64(known.get(largest)), base64(root), proof)) return fault("CHECKPOINT_FORKED", id);
  }
  appendFileSync(file("checkpoints"), JSON.stringify({ size, root }) + "\n");
  known.set(size, root);
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

function take(message) {
  const one = read(message);
  if (one) next(one);
}

function next(one) {
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
    const behind = waiting.get(loan)?.get(sequence + 1);
    if (behind) {
      waiting.get(loan).delete(sequence + 1);
      next(behind);
    }
  } else if (one.sequence === place.sequence && one.hash !== place.hash) fault("REWRITTEN", one.id);
}

if (!keys.length) fault("NOT_CHECKED", "checkpoint");
const missing = () => [...waiting.values()].reduce((sum, lane) => sum + lane.size, 0);
let looked = 0;
const client = await connect({ servers: process.env.NATS_URL, maxReconnectAttempts: -1, reconnectTimeWait: 200 });
for (;;) {
  try {
    // From the start each time: what is known is passed over, and a stream that was replaced is read whole.
    const manager = await jetstreamManager(client);
    const made = (await manager.streams.info(stream)).created;
    const consumer = await jetstream(client).consumers.get(stream, { filter_subjects: [filter, checkpoint] });
    while ((await manager.streams.info(stream)).created === made) {
      let came = 0;
      for await (const message of await consumer.fetch({ max_messages: 500, expires: 1000 })) {
        came += 1;
        if (message.subject === checkpoint) hold(message);
        else take(message);
      }
      // What is missing may have been lost on its way to us: it is looked for in the stream once more.
      const before = looked;
      looked = came ? looked : missing();
      if (looked > before) break;
    }
  } catch (failure) {
    console.error(String(failure));
    await new Promise((done) => setTimeout(done, 200));
  }
}
