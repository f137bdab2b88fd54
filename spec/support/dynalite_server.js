// npm's dynalite, a DynamoDB in memory, with two tables of users, for spec/dynalite_server_spec.lua:
//
//   node dynalite_server.js COUNT PORT_FILE
//
// `users` has them by id alone, in the order of the ids' hashes; `members` by organization and number, in the order of
// the numbers: the first third is in "acme", the others are in "globex". Both are made by its own API. It listens on a
// free port of loopback, writes the port to the file, and ends with its standard input.

const fs = require("fs");
const dynalite = require("dynalite");

const [count, portFile] = process.argv.slice(2);
const numbers = Array.from({ length: Number(count) }, (_, at) => at + 1);
const tables = {
  users: {
    key: { id: "S" },
    items: numbers.map((number) => ({
      id: { S: `u${String(number).padStart(5, "0")}` },
      email: { S: `user${number}@example.com` },
      name: { S: number % 7 === 0 ? `Ünï "${number}" 漢字` : `User ${number}` },
    })),
  },
  members: {
    key: { organization: "S", number: "N" },
    items: numbers.map((number) => ({
      organization: { S: number <= numbers.length / 3 ? "acme" : "globex" },
      number: { N: String(number) },
      email: { S: `user${number}@example.com` },
    })),
  },
};

const listener = dynalite({ createTableMs: 0 }).listen(0, "127.0.0.1", async () => {
  const { port } = listener.address();
  async function call(action, input) {
    const response = await fetch(`http://127.0.0.1:${port}/`, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-Amz-Target": `DynamoDB_20120810.${action}`,
        "X-Amz-Date": "20260131T120000Z",
        Authorization: "AWS4-HMAC-SHA256 Credential=setup, SignedHeaders=host, Signature=0",
      },
      body: JSON.stringify(input),
    });
    if (!response.ok) {
      throw new Error(await response.text());
    }
    return response.json();
  }
  for (const [TableName, { key, items }] of Object.entries(tables)) {
    const names = Object.keys(key);
    await call("CreateTable", {
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: names.map((AttributeName) => ({ AttributeName, AttributeType: key[AttributeName] })),
      KeySchema: names.map((AttributeName, at) => ({ AttributeName, KeyType: at === 0 ? "HASH" : "RANGE" })),
    });
    while ((await call("DescribeTable", { TableName })).Table.TableStatus !== "ACTIVE") {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (let at = 0; at < items.length; at += 25) {
      const requests = items.slice(at, at + 25).map((Item) => ({ PutRequest: { Item } }));
      await call("BatchWriteItem", { RequestItems: { [TableName]: requests } });
    }
  }
  fs.writeFileSync(portFile, `${port}\n`);
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
