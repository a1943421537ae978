// A subscriber that is not ours: prints subject and sequence of every message, then stops when idle.
import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";

const [url, filter] = process.argv.slice(2);
const client = await connect({ servers: url });
const consumer = await jetstream(client).consumers.get("LENDING", { filter_subjects: [filter] });
for (;;) {
  const message = await consumer.next({ expires: 2000 });
  if (message === null) break;
  console.log(JSON.stringify([message.subject, Number(message.headers.get("ce-sequence"))]));
}
await client.close();
